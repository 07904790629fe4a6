package client

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Family is a workflow and all below it.
type Family struct {
	root *v1alpha1.Workflow
	// children by the UID of their workflow.
	children map[string][]client.Object
}

// Below reads all that is part of a workflow, at any depth.
func (c *Client) Below(ctx context.Context, root *v1alpha1.Workflow) (*Family, error) {
	workflows, operations := &v1alpha1.WorkflowList{}, &v1alpha1.OperationList{}
	for _, list := range []client.ObjectList{workflows, operations} {
		if err := c.Objects.List(ctx, list, client.InNamespace(root.Namespace), client.HasLabels{v1alpha1.WorkflowUIDLabel}); err != nil {
			return nil, err
		}
	}
	objects := make([]client.Object, 0, len(workflows.Items)+len(operations.Items))
	for i := range workflows.Items {
		objects = append(objects, &workflows.Items[i])
	}
	for i := range operations.Items {
		objects = append(objects, &operations.Items[i])
	}
	return FamilyOf(root, objects), nil
}

// FamilyOf finds out who of some objects is part of a workflow.
func FamilyOf(root *v1alpha1.Workflow, objects []client.Object) *Family {
	f := &Family{root: root, children: map[string][]client.Object{}}
	for _, o := range objects {
		if parent := o.GetLabels()[v1alpha1.WorkflowUIDLabel]; parent != "" {
			f.children[parent] = append(f.children[parent], o)
		}
	}
	return f
}

// Operations below the workflow, at any depth.
func (f *Family) Operations() []*v1alpha1.Operation {
	return f.leaves(string(f.root.UID), nil)
}

func (f *Family) leaves(uid string, into []*v1alpha1.Operation) []*v1alpha1.Operation {
	for _, o := range f.children[uid] {
		switch o := o.(type) {
		case *v1alpha1.Operation:
			into = append(into, o)
		case *v1alpha1.Workflow:
			into = f.leaves(string(o.UID), into)
		}
	}
	return into
}

// Node is an operation or workflow in a tree.
type Node struct {
	Object client.Object `json:"-"`
	Kind   string        `json:"kind"`
	Name   string        `json:"name"`
	// Step of a dag that it is; empty: it is a trial of a matrix, or the root.
	Step string `json:"step,omitempty"`
	// Index is its place among its siblings, from 0; those without have none. Attempt of the workflow that made it.
	Index   *int `json:"index,omitempty"`
	Attempt int  `json:"attempt,omitempty"`
	// Suggests: it is no trial; it suggests trials.
	Suggests bool `json:"suggests,omitempty"`
	// Phase is empty where the controller has not seen it yet. Message is what it says, with its reason.
	Phase   v1alpha1.Status `json:"phase,omitempty"`
	Message string          `json:"message,omitempty"`
	// Progress of a workflow: "3/40".
	Progress string `json:"progress,omitempty"`
	// Queued and Running are how long it has waited in its queue and run so far.
	Queued  Seconds `json:"queued,omitempty"`
	Running Seconds `json:"running,omitempty"`
	// Groups of a workflow's children, in the order of their first.
	Groups []Group `json:"groups,omitempty"`
}

// Group is what siblings there are of one step of a dag: one, and one more for each time that it was run again with its
// workflow. All trials of a matrix are one group, and what suggests them is another.
type Group struct {
	Step     string `json:"step,omitempty"`
	Suggests bool   `json:"suggests,omitempty"`
	// Total of different places. Earlier attempts at them are not counted.
	Total int `json:"total"`
	// Counts of the last attempts by status.
	Counts map[v1alpha1.Status]int `json:"counts"`
	// Nodes by place, attempt, name.
	Nodes []*Node `json:"nodes"`
}

// Tree of a workflow and all below it.
func (c *Client) Tree(ctx context.Context, root *v1alpha1.Workflow) (*Node, error) {
	f, err := c.Below(ctx, root)
	if err != nil {
		return nil, err
	}
	return f.Tree(time.Now()), nil
}

// Tree of the family; what goes on has lasted until now.
func (f *Family) Tree(now time.Time) *Node { return f.node(f.root, now) }

func (f *Family) node(o client.Object, now time.Time) *Node {
	p := ProgressOf(o)
	queued, running := p.Spent(now)
	n := &Node{Object: o, Kind: KindOf(o), Name: o.GetName(), Step: o.GetLabels()[v1alpha1.StepLabel], Phase: p.Phase, Message: p.LastMessage(), Running: Seconds(running)}
	if index, err := strconv.Atoi(o.GetLabels()[v1alpha1.IndexLabel]); err == nil {
		n.Index = &index
	}
	if attempt, err := strconv.Atoi(o.GetLabels()[v1alpha1.WorkflowAttemptLabel]); err == nil {
		n.Attempt = attempt
	}
	_, n.Suggests = o.GetLabels()[v1alpha1.IterationLabel]
	w, is := o.(*v1alpha1.Workflow)
	if !is {
		n.Queued = Seconds(queued)
		return n
	}
	n.Progress = w.Status.Progress
	var children []*Node
	for _, child := range f.children[string(o.GetUID())] {
		children = append(children, f.node(child, now))
	}
	slices.SortStableFunc(children, byPlace)
	n.Groups = group(children)
	return n
}

// byPlace sorts siblings; those without a place are the last.
func byPlace(a, b *Node) int {
	switch {
	case a.Index == nil && b.Index != nil:
		return 1
	case a.Index != nil && b.Index == nil:
		return -1
	case a.Index != nil:
		if by := cmp.Compare(*a.Index, *b.Index); by != 0 {
			return by
		}
	}
	return cmp.Or(cmp.Compare(a.Attempt, b.Attempt), cmp.Compare(a.Name, b.Name))
}

// group puts siblings, which are sorted, together.
func group(siblings []*Node) []Group {
	var groups []Group
	for _, n := range siblings {
		at := slices.IndexFunc(groups, func(g Group) bool { return g.Step == n.Step && g.Suggests == n.Suggests })
		if at < 0 {
			at = len(groups)
			groups = append(groups, Group{Step: n.Step, Suggests: n.Suggests, Counts: map[v1alpha1.Status]int{}})
		}
		groups[at].Nodes = append(groups[at].Nodes, n)
	}
	for i := range groups {
		g := &groups[i]
		for k, n := range g.Nodes {
			if k+1 < len(g.Nodes) && samePlace(n, g.Nodes[k+1]) {
				continue // it was made again
			}
			g.Total++
			g.Counts[n.Phase]++
		}
	}
	return groups
}

func samePlace(a, b *Node) bool { return a.Index != nil && b.Index != nil && *a.Index == *b.Index }

// Children of a workflow in the order of their places.
func (n *Node) Children() []*Node {
	var all []*Node
	for _, g := range n.Groups {
		all = append(all, g.Nodes...)
	}
	slices.SortStableFunc(all, byPlace)
	return all
}

// String is a group in few signs: "×1000: 812 ✔ 4 ✖ 50 ● 134 ○": succeeded, failed, running or about to, waiting. What was
// skipped or stopped is behind ⊘.
func (g Group) String() string {
	signs := map[string]int{}
	for status, n := range g.Counts {
		signs[sign(status)] += n
	}
	text := fmt.Sprintf("×%d:", g.Total)
	for _, s := range []string{"✔", "✖", "●", "○", "⊘"} {
		if signs[s] > 0 {
			text += fmt.Sprintf(" %d %s", signs[s], s)
		}
	}
	return strings.TrimSuffix(text, ":")
}

func sign(s v1alpha1.Status) string {
	switch s {
	case v1alpha1.StatusSucceeded:
		return "✔"
	case v1alpha1.StatusFailed, v1alpha1.StatusUpstreamFailed:
		return "✖"
	case v1alpha1.StatusSkipped, v1alpha1.StatusStopped:
		return "⊘"
	case v1alpha1.StatusScheduled, v1alpha1.StatusStarting, v1alpha1.StatusRunning, v1alpha1.StatusWarning, v1alpha1.StatusUnknown, v1alpha1.StatusStopping:
		return "●"
	}
	return "○"
}
