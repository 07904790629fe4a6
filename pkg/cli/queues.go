package cli

import (
	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func queueState(q *v1alpha1.Queue) cell {
	switch q.Spec.State {
	case "", v1alpha1.QueueOpen:
		return cell{string(v1alpha1.QueueOpen), plain}
	}
	return cell{string(q.Spec.State), yellow}
}
