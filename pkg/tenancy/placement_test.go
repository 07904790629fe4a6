package tenancy

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCheckPlacement(t *testing.T) {
	for _, scheduler := range []string{"", "default-scheduler", "queueyard-scheduler"} {
		assert.Nil(t, CheckPlacement("n", "", scheduler))
	}
	assert.Equal(t, `spec.nodeName is "n1", but pods of namespace "n" get their node through a queue: remove spec.nodeName; to choose among nodes, set spec.nodeSelector or spec.affinity`,
		CheckPlacement("n", "n1", "").Error())
	assert.Equal(t, `spec.schedulerName is "mine", but pods of namespace "n" are scheduled by queueyard-scheduler: remove spec.schedulerName, or use a namespace without label queueyard.io/managed`,
		CheckPlacement("n", "", "mine").Error())
}
