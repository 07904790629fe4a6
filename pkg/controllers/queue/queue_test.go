package queue

import (
	"testing"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func TestDecide(t *testing.T) {
	now := metav1.Now()
	mine, theirs := v1alpha1.QueueFinalizer, "example.com/other"
	for name, tc := range map[string]struct {
		deleted    bool
		finalizers []string
		status     v1alpha1.QueueStatus
		want       []string
		changed    bool
	}{
		"new queue":                  {want: []string{mine}, changed: true},
		"has it":                     {finalizers: []string{mine}, want: []string{mine}},
		"beside another's":           {finalizers: []string{theirs}, want: []string{theirs, mine}, changed: true},
		"deleted, not seen yet":      {deleted: true, finalizers: []string{mine}, status: v1alpha1.QueueStatus{ObservedGeneration: 6}, want: []string{mine}},
		"deleted, one waits":         {deleted: true, finalizers: []string{mine}, status: v1alpha1.QueueStatus{ObservedGeneration: 7, Pending: 1}, want: []string{mine}},
		"deleted, one runs":          {deleted: true, finalizers: []string{mine}, status: v1alpha1.QueueStatus{ObservedGeneration: 7, Admitted: 1}, want: []string{mine}},
		"deleted and empty":          {deleted: true, finalizers: []string{theirs, mine}, status: v1alpha1.QueueStatus{ObservedGeneration: 7}, want: []string{theirs}, changed: true},
		"deleted before it had it":   {deleted: true, finalizers: []string{theirs}, status: v1alpha1.QueueStatus{ObservedGeneration: 7}, want: []string{theirs}},
		"deleted, newer observation": {deleted: true, finalizers: []string{mine}, status: v1alpha1.QueueStatus{ObservedGeneration: 8}, want: []string{}, changed: true},
	} {
		t.Run(name, func(t *testing.T) {
			q := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "q", Generation: 7, Finalizers: tc.finalizers}, Status: tc.status}
			if tc.deleted {
				q.DeletionTimestamp = &now
			}
			assert.Equal(t, tc.changed, decide(q))
			assert.Equal(t, tc.want, q.Finalizers)
		})
	}
}
