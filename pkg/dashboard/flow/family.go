package flow

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Family is a workflow with all that is known to be in it, at any depth.
type Family struct {
	Root     *v1alpha1.Workflow
	children map[types.UID][]child
}

// child is a workflow or an operation of one.
type child struct {
	client.Object
	// index is its place; what has none is behind all others.
	index, attempt int64
	step           string
}

// unplaced is the index of what has none, such as what suggests trials.
const unplaced = 1 << 60

// NewFamily finds out who belongs to whom; what belongs to others is left out when the family is walked.
func NewFamily(root *v1alpha1.Workflow, workflows []*v1alpha1.Workflow, operations []*v1alpha1.Operation) *Family {
	f := &Family{Root: root, children: map[types.UID][]child{}}
	for _, w := range workflows {
		f.add(w)
	}
	for _, o := range operations {
		f.add(o)
	}
	for _, c := range f.children {
		slices.SortFunc(c, func(a, b child) int {
			return cmp.Or(cmp.Compare(a.index, b.index), cmp.Compare(a.attempt, b.attempt), strings.Compare(a.GetName(), b.GetName()))
		})
	}
	return f
}

func (f *Family) add(o client.Object) {
	labels := o.GetLabels()
	parent := types.UID(labels[v1alpha1.WorkflowUIDLabel])
	if parent == "" {
		return
	}
	f.children[parent] = append(f.children[parent], child{
		Object: o, step: labels[v1alpha1.StepLabel],
		index: number(labels[v1alpha1.IndexLabel], unplaced), attempt: number(labels[v1alpha1.WorkflowAttemptLabel], 0),
	})
}

func number(text string, otherwise int64) int64 {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	return otherwise
}

// of are the children of a workflow by their places, all attempts.
func (f *Family) of(w *v1alpha1.Workflow) []child { return f.children[w.UID] }

// latest are the children of a workflow by their places, each in its last attempt.
func (f *Family) latest(w *v1alpha1.Workflow) []child { return latest(f.of(w)) }

// latest are the last attempts of children in the order of their places.
func latest(all []child) []child {
	out := make([]child, 0, len(all))
	for i, c := range all {
		if i+1 == len(all) || c.index == unplaced || all[i+1].index != c.index {
			out = append(out, c)
		}
	}
	return out
}

// operations below some children, at any depth, all attempts.
func (f *Family) operations(children []child, into []*v1alpha1.Operation) []*v1alpha1.Operation {
	for _, c := range children {
		switch o := c.Object.(type) {
		case *v1alpha1.Operation:
			into = append(into, o)
		case *v1alpha1.Workflow:
			into = f.operations(f.of(o), into)
		}
	}
	return into
}

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
