package flow

import (
	"time"

	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/timeline"
	"github.com/queueyard/queueyard/pkg/workflow/family"
)

// Summary is what the pages of a workflow and of a sweep have in common.
type Summary struct {
	Namespace string          `json:"namespace"`
	Name      string          `json:"name"`
	UID       string          `json:"uid"`
	Queue     string          `json:"queue,omitempty"`
	Project   string          `json:"project,omitempty"`
	Status    v1alpha1.Status `json:"status,omitempty"`
	Reason    string          `json:"reason,omitempty"`
	Message   string          `json:"message,omitempty"`
	Attempt   int32           `json:"attempt,omitempty"`
	// Within are the workflows around it, the outermost first.
	Within []string `json:"within"`
	// Created, Started and Finished in milliseconds of Unix time; 0: not yet. Now is when this was made.
	Created  int64 `json:"created"`
	Started  int64 `json:"started,omitempty"`
	Finished int64 `json:"finished,omitempty"`
	Now      int64 `json:"now"`
	// Counts of its direct children, of which Done are over.
	Counts   Counts             `json:"counts"`
	Done     int64              `json:"done"`
	Problems []v1alpha1.Problem `json:"problems,omitempty"`
	Outputs  v1alpha1.Values    `json:"outputs,omitempty"`
	// Matrix: it is a sweep, and has a page that compares its trials.
	Matrix bool `json:"matrix"`
	// Held: somebody must approve it; Stopped: somebody wants it stopped.
	Held    bool `json:"held,omitempty"`
	Stopped bool `json:"stopped,omitempty"`
}

// Page is what the page of a workflow shows.
type Page struct {
	Summary
	// Limit on operations in their queues or running at a time; nil: none.
	Limit *int32 `json:"limit"`
	// Load is what the operations below it did over time.
	Load Load `json:"load"`
	// Nodes are the steps of a dag, in the order in which they are written.
	Nodes []Node `json:"nodes,omitempty"`
	// Rows of the chart; Hidden are those beyond the most that it has.
	Rows   []Row `json:"rows"`
	Hidden int   `json:"hidden,omitempty"`
}

func summaryOf(w *v1alpha1.Workflow, within []string, now time.Time) Summary {
	last := timeline.Last(w.Status.Timeline)
	s := Summary{
		Namespace: w.Namespace, Name: w.Name, UID: string(w.UID), Queue: w.Spec.Queue, Project: w.Spec.Project,
		Status: w.Status.Phase, Reason: last.Reason, Message: said(last), Attempt: w.Status.Attempt, Within: within,
		Created: w.CreationTimestamp.UnixMilli(), Now: now.UnixMilli(),
		Counts: CountsOf(w.Status.Children), Problems: w.Status.Problems, Outputs: w.Status.Outputs,
		Held: w.Spec.Approved != nil && !*w.Spec.Approved, Stopped: w.Spec.DesiredState == v1alpha1.Stopped,
	}
	if s.Within == nil {
		s.Within = []string{}
	}
	s.Done = s.Counts.Done()
	if t := w.Status.StartTime; t != nil {
		s.Started = t.UnixMilli()
	}
	if t := w.Status.FinishTime; t != nil {
		s.Finished = t.UnixMilli()
	}
	return s
}

// PageOf makes the page of a workflow. Shapes gives the shape of it and of those in it; within are the names of those
// around it.
func PageOf(f *family.Family, shapes func(*v1alpha1.Workflow) *Shape, within []string, folds Folds, now time.Time) *Page {
	w := f.Root
	p := &Page{Summary: summaryOf(w, within, now), Load: loadOf(f.Operations(f.Children(w)))}
	if n := w.Spec.Concurrency; ptr.Deref(n, v1alpha1.Unlimited) != v1alpha1.Unlimited {
		p.Limit = n
	}
	if shape := shapes(w); shape.Matrix != nil {
		p.Matrix = true
	} else {
		p.Nodes = shape.stand(family.Latest(f.Children(w)))
	}
	c := &chart{Family: f, shapes: shapes, folds: folds}
	c.inside(w, 0)
	p.Rows, p.Hidden = c.rows, c.hidden
	if p.Rows == nil {
		p.Rows = []Row{}
	}
	return p
}
