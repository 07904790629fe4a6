package flow

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// state is what operations and workflows have in common.
type state struct {
	phase    v1alpha1.Status
	timeline []v1alpha1.TimelineEntry
}

func stateOf(o client.Object) state {
	switch o := o.(type) {
	case *v1alpha1.Operation:
		return state{o.Status.Phase, o.Status.Timeline}
	case *v1alpha1.Workflow:
		return state{o.Status.Phase, o.Status.Timeline}
	}
	return state{}
}
