package ledger

import (
	"maps"
	"slices"
)

// The limits of a workflow bound the operations of everything below it. Nothing says in which order
// workflows and pods come: a workflow that is named and not set is unlimited and has no parent, and
// what it holds moves with it when it gets one.

func (l *Ledger) workflowNamed(name string) *workflow {
	w := l.workflows[name]
	if w == nil {
		w = &workflow{limitNode: unlimited(Workflow, name), children: map[*workflow]struct{}{}, shapes: map[*shape]struct{}{}}
		l.workflows[name] = w
	}
	return w
}

// dropWorkflow forgets a workflow that is neither set nor named by pods or children, and then those
// above it.
func (l *Ledger) dropWorkflow(w *workflow) {
	for w != nil && !w.exists && w.refs == 0 && len(w.children) == 0 {
		delete(l.workflows, w.name)
		parent := w.parent
		if parent != nil {
			delete(parent.children, w)
		}
		w = parent
	}
}

// subtree yields a workflow and all below it.
func (w *workflow) subtree(yield func(*workflow) bool) {
	for list := []*workflow{w}; len(list) > 0; {
		at := list[len(list)-1]
		list = slices.AppendSeq(list[:len(list)-1], maps.Keys(at.children))
		if !yield(at) {
			return
		}
	}
}

// shapesBelow yields the shapes of a workflow and of all below it.
func (w *workflow) shapesBelow(yield func(*shape) bool) {
	for below := range w.subtree {
		for s := range below.shapes {
			if !yield(s) {
				return
			}
		}
	}
}

// SetWorkflow creates a workflow or changes it. An empty parent: it has none. What it holds moves with
// it to another parent. A parent that is the workflow itself or is below it counts as none.
func (l *Ledger) SetWorkflow(name, parent string, limits Limits) {
	w := l.workflowNamed(name)
	w.exists = true
	changed := l.setLimits(&w.limitNode, limits)
	var to *workflow
	if parent != "" {
		to = l.workflowNamed(parent)
		for at := to; at != nil; at = at.parent {
			if at == w {
				to = nil
				break
			}
		}
	}
	l.setParent(w, to)
	if changed {
		l.rejudge(w.shapesBelow)
	}
}

// DeleteWorkflow takes a workflow's limits away. While pods or other workflows name it, those above it
// still hold.
func (l *Ledger) DeleteWorkflow(name string) {
	w := l.workflows[name]
	if w == nil || !w.exists {
		return
	}
	w.exists = false
	l.setLimits(&w.limitNode, noLimits)
	l.rejudge(w.shapesBelow)
	l.dropWorkflow(w)
}

func (l *Ledger) setParent(w, to *workflow) {
	from := w.parent
	if from == to {
		return
	}
	var target *limitNode
	if from != nil {
		delete(from.children, w)
	}
	if to != nil {
		target = &to.limitNode
		to.children[w] = struct{}{}
	}
	w.parent = to
	l.rehang(&w.limitNode, target, w.shapesBelow)
	l.dropWorkflow(from)
}
