package client

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/workflow/family"
)

// Below reads all that is part of a workflow, at any depth.
func (c *Client) Below(ctx context.Context, root *v1alpha1.Workflow) (*family.Family, error) {
	workflows, operations := &v1alpha1.WorkflowList{}, &v1alpha1.OperationList{}
	for _, list := range []client.ObjectList{workflows, operations} {
		if err := c.Objects.List(ctx, list, client.InNamespace(root.Namespace), client.HasLabels{v1alpha1.WorkflowUIDLabel}); err != nil {
			return nil, err
		}
	}
	return family.Of(root, pointers(workflows.Items), pointers(operations.Items)), nil
}

func pointers[T any](items []T) []*T {
	out := make([]*T, len(items))
	for i := range items {
		out[i] = &items[i]
	}
	return out
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
	// Children of a workflow in the order of their places.
	Children []*Node `json:"-"`
	// Groups of them, in the order of their first.
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
	return TreeOf(f, time.Now()), nil
}

// TreeOf a family; what goes on has lasted until now.
func TreeOf(f *family.Family, now time.Time) *Node {
	return node(f, family.Member{Object: f.Root, Index: family.Unplaced}, now)
}

func node(f *family.Family, m family.Member, now time.Time) *Node {
	p := ProgressOf(m.Object)
	queued, running := p.Spent(now)
	n := &Node{Object: m.Object, Kind: KindOf(m.Object), Name: m.GetName(), Step: m.Step, Attempt: int(m.Attempt), Suggests: m.Suggests(),
		Phase: p.Phase, Message: p.LastMessage(), Running: Seconds(running)}
	if index := int(m.Index); m.Index != family.Unplaced {
		n.Index = &index
	}
	w, is := m.Object.(*v1alpha1.Workflow)
	if !is {
		n.Queued = Seconds(queued)
		return n
	}
	n.Progress = w.Status.Progress
	n.group(f, f.Children(w), now)
	return n
}

// group puts children together.
func (n *Node) group(f *family.Family, children []family.Member, now time.Time) {
	latest := map[types.UID]bool{}
	for _, m := range family.Latest(children) {
		latest[m.GetUID()] = true
	}
	for _, m := range children {
		child := node(f, m, now)
		n.Children = append(n.Children, child)
		at := slices.IndexFunc(n.Groups, func(g Group) bool { return g.Step == child.Step && g.Suggests == child.Suggests })
		if at < 0 {
			at = len(n.Groups)
			n.Groups = append(n.Groups, Group{Step: child.Step, Suggests: child.Suggests, Counts: map[v1alpha1.Status]int{}})
		}
		g := &n.Groups[at]
		g.Nodes = append(g.Nodes, child)
		if latest[m.GetUID()] {
			g.Total++
			g.Counts[child.Phase]++
		}
	}
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
