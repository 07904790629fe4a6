package operation

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// A remote agent that is being deleted gets nothing more, as one that is drained; one of this cluster serves until it is gone.
func TestADeletedAgentGetsNothing(t *testing.T) {
	deleted := &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: "east", UID: "u", DeletionTimestamp: ptr.To(metav1.Now())}}
	deleted.Status.LastContact = ptr.To(metav1.NewMicroTime(time.Now()))
	g := &group{queue: &v1alpha1.Queue{Spec: v1alpha1.QueueSpec{Agents: []string{"east"}}}, agents: []*v1alpha1.Agent{deleted}}
	assert.Empty(t, place{agent: deleted}.closed())
	assert.Empty(t, g.closed("east"))
	deleted.Spec.Remote = true
	assert.Equal(t, "agent east is being deleted and gets no operations: give the queue another agent", place{agent: deleted}.closed())
	assert.Equal(t, "is being deleted", g.closed("east"))
	deleted.DeletionTimestamp = nil
	assert.Empty(t, place{agent: deleted}.closed())
	assert.Empty(t, g.closed("east"))
}
