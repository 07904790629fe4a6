package webhook

import (
	"testing"

	"github.com/stretchr/testify/assert"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// What stands for an assignment of a hub has the project and queue that it names, so nobody but the controller may say that it does.
func TestMarksOfCopies(t *testing.T) {
	user, controller := authenticationv1.UserInfo{Username: "alice"}, authenticationv1.UserInfo{Username: controllerUser}
	for _, key := range []string{v1alpha1.AssignmentAnnotation, v1alpha1.AssignmentUIDAnnotation, v1alpha1.WithdrawnAnnotation} {
		op := &v1alpha1.Operation{}
		op.Annotations = map[string]string{key: "a"}
		assert.ErrorContains(t, checkCopy(user, copyMarksOf(op)), key)
		assert.NoError(t, checkCopy(controller, copyMarksOf(op)))
		assert.ErrorContains(t, unchanged(user, copyMarksOf(&v1alpha1.Operation{}), copyMarksOf(op)), key)
		assert.ErrorContains(t, unchanged(user, copyMarksOf(op), copyMarksOf(&v1alpha1.Operation{})), key)
	}
	assert.NoError(t, checkCopy(user, copyMarksOf(&v1alpha1.Operation{})))
	pod := &corev1.Pod{}
	pod.Annotations = map[string]string{v1alpha1.AssignmentAnnotation: "a"}
	assert.ErrorContains(t, (&marker{}).check(t.Context(), user, "team", pod, marksOf(pod)), v1alpha1.AssignmentAnnotation)
	assert.True(t, claimOf("team", pod).Assigned)
	assert.False(t, claimOf("team", &corev1.Pod{}).Assigned)
}
