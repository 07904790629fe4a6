// Package family finds out who is part of a workflow, at any depth, from the labels that say so.
package family

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Family is a workflow with all that is known to be in it.
type Family struct {
	Root     *v1alpha1.Workflow
	children map[types.UID][]Member
}

// Member is a workflow or an operation of one.
type Member struct {
	client.Object
	// Step of a dag that it is; empty: it is part of a matrix.
	Step string
	// Index is its place, from 0; Unplaced where it has none. Attempt of the workflow that made it.
	Index, Attempt int64
}

// Unplaced is the index of what has none, such as what suggests trials: it is behind all others.
const Unplaced = 1 << 60

// Suggests: it is no trial; it suggests trials.
func (m Member) Suggests() bool {
	_, does := m.GetLabels()[v1alpha1.IterationLabel]
	return does
}

// again: the other is a further attempt at the same.
func (m Member) again(o Member) bool {
	return m.Index != Unplaced && m.Index == o.Index && m.Step == o.Step
}

func compare(a, b Member) int {
	return cmp.Or(cmp.Compare(a.Index, b.Index), strings.Compare(a.Step, b.Step), cmp.Compare(a.Attempt, b.Attempt), strings.Compare(a.GetName(), b.GetName()))
}

// Of finds out who of some workflows and operations is in a workflow. What belongs to others may be among them.
func Of(root *v1alpha1.Workflow, workflows []*v1alpha1.Workflow, operations []*v1alpha1.Operation) *Family {
	f := &Family{Root: root, children: map[types.UID][]Member{}}
	for _, w := range workflows {
		f.add(w)
	}
	for _, o := range operations {
		f.add(o)
	}
	for _, c := range f.children {
		slices.SortFunc(c, compare)
	}
	return f
}

func (f *Family) add(o client.Object) {
	labels := o.GetLabels()
	if parent := types.UID(labels[v1alpha1.WorkflowUIDLabel]); parent != "" {
		f.children[parent] = append(f.children[parent], Member{
			Object: o, Step: labels[v1alpha1.StepLabel],
			Index: number(labels[v1alpha1.IndexLabel], Unplaced), Attempt: number(labels[v1alpha1.WorkflowAttemptLabel], 0),
		})
	}
}

func number(text string, otherwise int64) int64 {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	return otherwise
}

// Children of a workflow by place, step, attempt and name: all attempts.
func (f *Family) Children(w *v1alpha1.Workflow) []Member { return f.children[w.UID] }

// Latest are those of some siblings, sorted as Children are, after which there was no further attempt.
func Latest(siblings []Member) []Member {
	out := make([]Member, 0, len(siblings))
	for i, m := range siblings {
		if i+1 == len(siblings) || !m.again(siblings[i+1]) {
			out = append(out, m)
		}
	}
	return out
}

// Operations among some members and below them, at any depth, all attempts.
func (f *Family) Operations(members []Member) []*v1alpha1.Operation {
	return f.operations(members, nil)
}

func (f *Family) operations(members []Member, into []*v1alpha1.Operation) []*v1alpha1.Operation {
	for _, m := range members {
		switch o := m.Object.(type) {
		case *v1alpha1.Operation:
			into = append(into, o)
		case *v1alpha1.Workflow:
			into = f.operations(f.Children(o), into)
		}
	}
	return into
}
