package tenancy

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestUnread(t *testing.T) {
	all := map[string]string{
		"app": "x", "queueyard.io/queue": "gpu", "queueyard.io/project": "p", "queueyard.io/cost": "1",
		"queueyard.io/priority": "1", "queueyard.io/max-runtime": "1h", "queueyard.io/preemptible": "true",
	}
	require.Empty(t, UnreadOfPod(&metav1.ObjectMeta{Annotations: all}))
	require.Equal(t, []string{
		"label queueyard.io/max-runtime is not read here: write it as an annotation of the pod, or of the pod template",
		"label queueyard.io/preemptible is not read here: write it as an annotation of the pod, or of the pod template",
		"label queueyard.io/priority is not read here: write it as an annotation of the pod, or of the pod template",
	}, UnreadOfPod(&metav1.ObjectMeta{Labels: all}))
	require.Len(t, UnreadOfJob(&metav1.ObjectMeta{Annotations: all}), 4, "queue and project are handed on")

	require.Equal(t, []string{
		"label queueyard.io/queu is not known (did you mean queueyard.io/queue?): correct it, or leave it out",
		"annotation queueyard.io/max_runtime is not known (did you mean queueyard.io/max-runtime?): correct it, or leave it out",
		"annotation queueyard.io/team is not known: correct it, or leave it out",
	}, UnreadOfPod(&metav1.ObjectMeta{
		Labels:      map[string]string{"queueyard.io/queu": "gpu", "sandbox.queueyard.io/duration": "1s"},
		Annotations: map[string]string{"queueyard.io/max_runtime": "1h", "queueyard.io/team": "x"},
	}))
}
