package dashboard

import (
	"cmp"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	queueyard "github.com/queueyard/queueyard/pkg/client"
	"github.com/queueyard/queueyard/pkg/dashboard/flow"
	"github.com/queueyard/queueyard/pkg/timeline"
)

// workflows lists workflows; those that are part of others only where they are asked for.
func (s *Server) workflows(c *call) (any, error) {
	var notes []string
	workflows, err := seen[*v1alpha1.Workflow](c, workflowKind, &notes)
	if err != nil {
		return nil, err
	}
	operations, err := seen[*v1alpha1.Operation](c, operationKind, &notes)
	if err != nil {
		return nil, err
	}
	query := c.URL.Query()
	children := query.Get("children") != "" || query.Get("workflow") != ""
	unfinished := unfinishedIn(workflows, operations)
	rows := make([]row, 0, len(workflows))
	for _, w := range workflows {
		if children || parentOf(w) == "" {
			rows = append(rows, rowOfWorkflow(w, unfinished[w.UID]))
		}
	}
	return selected(rows, notes, query)
}

// unfinishedIn are the operations that are not over, by the workflows in which they are, at any depth.
func unfinishedIn(workflows []*v1alpha1.Workflow, operations []*v1alpha1.Operation) map[types.UID][]*v1alpha1.Operation {
	parents := make(map[types.UID]types.UID, len(workflows))
	for _, w := range workflows {
		parents[w.UID] = parentOf(w)
	}
	in := map[types.UID][]*v1alpha1.Operation{}
	for _, op := range operations {
		if op.Status.Phase.Final() {
			continue
		}
		for uid := parentOf(op); uid != ""; uid = parents[uid] {
			in[uid] = append(in[uid], op)
		}
	}
	return in
}

// rowOfWorkflow says why it waits by what most of its operations wait for: it stands in no line itself.
func rowOfWorkflow(w *v1alpha1.Workflow, unfinished []*v1alpha1.Operation) row {
	last, counts := timeline.Last(w.Status.Timeline), flow.CountsOf(w.Status.Children)
	r := row{Kind: "workflow", Namespace: w.Namespace, Name: w.Name, Queue: w.Spec.Queue, Project: w.Spec.Project, Workflow: w.Labels[v1alpha1.WorkflowLabel],
		Status: cmp.Or(w.Status.Phase, v1alpha1.StatusCreated), Reason: last.Reason, Message: last.Message, Priority: int64(ptr.Deref(w.Spec.Priority, 0)),
		Attempt: w.Status.Attempt, Counts: &counts, Created: w.CreationTimestamp.Time, Started: micro(w.Status.StartTime), Ended: micro(w.Status.FinishTime)}
	groups := queueyard.GroupWaiting(unfinished)
	if len(groups) == 0 || r.Status.Final() {
		return r
	}
	most, others := groups[0], 0
	for _, g := range groups[1:] {
		others += g.Count
	}
	r.Reason, r.Message = most.Reason, fmt.Sprintf("%d waiting: %s", most.Count, cmp.Or(most.Message, most.Reason))
	if others > 0 {
		r.Message += fmt.Sprintf("; %d more for other reasons", others)
	}
	return r
}
