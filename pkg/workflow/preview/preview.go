// Package preview expands workflows and operations that do not exist yet: what would run, in which queue, how often, and
// what of that depends on what comes of others. It asks the code that the controllers ask. It is pure.
package preview

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/operation"
	"github.com/queueyard/queueyard/pkg/search"
	"github.com/queueyard/queueyard/pkg/tenancy"
	"github.com/queueyard/queueyard/pkg/workflow"
	"github.com/queueyard/queueyard/pkg/workflow/plan"
)

// Node is what would run: an operation, or a workflow with what it has.
type Node struct {
	Kind string `json:"kind"`
	// Name of the object, the step, or the trial.
	Name string `json:"name"`
	// Runs is what an operation makes: pod, job, the kind of an object, or component NAME.
	Runs string `json:"runs,omitempty"`
	// Search of a matrix: its kind.
	Search string `json:"search,omitempty"`
	// Queue that it names or inherits; empty: the default of its project, its organization or the cluster.
	Queue    string `json:"queue,omitempty"`
	Priority *int32 `json:"priority,omitempty"`
	// Params that are known, and Open the expressions of those that are not before what they use is over.
	Params v1alpha1.Values   `json:"params,omitempty"`
	Open   map[string]string `json:"open,omitempty"`
	// After are the steps that it waits for, and Trigger what it needs of them.
	After   []string         `json:"after,omitempty"`
	Trigger workflow.Trigger `json:"trigger,omitempty"`
	// When is a condition that depends on what comes of others.
	When string `json:"when,omitempty"`
	// Not is why it does not run if all else succeeds.
	Not string `json:"not,omitempty"`
	// Continues is the trial that this one goes on from.
	Continues *int64 `json:"continues,omitempty"`
	// Limits in words: its concurrency, approval, timeout and retries.
	Limits []string `json:"limits,omitempty"`
	// Total children; -1: what comes of others decides.
	Total int64 `json:"total"`
	// Children, of a matrix only the first.
	Children []*Node `json:"children,omitempty"`
	// Like is how many more trials there are that are not shown, of the last that is; -1 of what stands for trials of which
	// nobody knows how many there will be.
	Like int64 `json:"like,omitempty"`
	// Notes say what else is open.
	Notes []string `json:"notes,omitempty"`
	// Operations that would run.
	Operations Count `json:"operations"`
}

// Count is a number of operations.
type Count struct {
	N int64 `json:"count"`
	// More and Fewer there may be.
	More  bool `json:"more,omitempty"`
	Fewer bool `json:"fewer,omitempty"`
}

func (c Count) plus(o Count, times int64) Count {
	return Count{c.N + o.N*times, c.More || o.More, c.Fewer || o.Fewer}
}

// String says it: "at least 7".
func (c Count) String() string {
	switch {
	case c.More && c.Fewer:
		return fmt.Sprintf("about %d", c.N)
	case c.More:
		return fmt.Sprintf("at least %d", c.N)
	case c.Fewer:
		return fmt.Sprintf("at most %d", c.N)
	}
	return fmt.Sprint(c.N)
}

// Previewer expands what does not exist yet.
type Previewer struct {
	// Components that are known, by name.
	Components map[string]*v1alpha1.Component
	// Directory has the projects and organizations that are known.
	Directory tenancy.Directory
	// Trials of a matrix that are shown.
	Trials int
}

// stamp gives what names no queue the default that is known, as admission would.
func (p *Previewer) stamp(namespace, project string, queue *string) string {
	if *queue != "" {
		return ""
	}
	claim := tenancy.Claim{Namespace: namespace, Operation: true}
	if project != "" {
		claim.Annotations = map[string]string{v1alpha1.ProjectLabel: project}
	}
	found, source := tenancy.Default(p.Directory, claim)
	if found == "" {
		return ""
	}
	*queue = found
	return "queue " + found + " is the default of " + source
}

func (p *Previewer) component(name string) (*v1alpha1.Component, error) {
	return p.Components[name], nil
}

// Operation previews one that was found sound.
func (p *Previewer) Operation(o *v1alpha1.Operation) *Node {
	component := p.Components[o.Spec.Component]
	note := ""
	if o.Spec.Component == "" || component != nil && component.Spec.Queue == "" {
		note = p.stamp(o.Namespace, o.Spec.Project, &o.Spec.Queue)
	}
	n := p.operation(o)
	if note != "" {
		n.Notes = append(n.Notes, note)
	}
	n.Name = cmp.Or(o.Name, o.GenerateName)
	return n
}

func (p *Previewer) operation(o *v1alpha1.Operation) *Node {
	n := &Node{Kind: "operation", Queue: o.Spec.Queue, Priority: o.Spec.Priority, Params: o.Spec.Params, Operations: Count{N: 1}}
	template := o.Spec.Template
	if o.Spec.Component != "" {
		n.Runs = "component " + o.Spec.Component
		component := p.Components[o.Spec.Component]
		if component == nil {
			n.Notes = append(n.Notes, fmt.Sprintf("component %s is not in what was read: it may name a queue, params and retries", o.Spec.Component))
		} else {
			n.Queue, template = cmp.Or(n.Queue, component.Spec.Queue), &component.Spec.Template
			if n.Priority == nil {
				n.Priority = component.Spec.Priority
			}
		}
	}
	if template != nil && o.Spec.Component == "" {
		n.Runs = runs(template)
	}
	n.limit("", o.Spec.Approved, o.Spec.Termination)
	if o.Spec.Cost != "" {
		n.Limits = append(n.Limits, "cost "+o.Spec.Cost+" per hour")
	}
	return n
}

func runs(t *v1alpha1.RunTemplate) string {
	switch {
	case t.Job != nil:
		return "job"
	case t.Object != nil:
		return "object"
	}
	return "pod"
}

func (n *Node) limit(concurrency string, approved *bool, t *v1alpha1.Termination) {
	if concurrency != "" {
		n.Limits = append(n.Limits, "concurrency "+concurrency)
	}
	if approved != nil && !*approved {
		n.Limits = append(n.Limits, "held until it is approved")
	}
	if t == nil {
		return
	}
	if t.MaxRetries != nil && *t.MaxRetries > 0 {
		n.Limits = append(n.Limits, fmt.Sprintf("retries %d", *t.MaxRetries))
	}
	for _, d := range []struct {
		name string
		is   *metav1.Duration
	}{{"timeout", t.Timeout}, {"queue timeout", t.QueueTimeout}, {"start timeout", t.StartTimeout}} {
		if d.is != nil {
			n.Limits = append(n.Limits, d.name+" "+d.is.Duration.String())
		}
	}
}

// Workflow previews one that was found sound.
func (p *Previewer) Workflow(ctx context.Context, w *v1alpha1.Workflow) (*Node, error) {
	note := p.stamp(w.Namespace, w.Spec.Project, &w.Spec.Queue)
	n, err := p.workflow(ctx, w, cmp.Or(w.Name, w.GenerateName), nil)
	if err == nil && note != "" {
		n.Notes = append(n.Notes, note)
	}
	return n, err
}

func (p *Previewer) workflow(ctx context.Context, w *v1alpha1.Workflow, name string, undecided map[string]string) (*Node, error) {
	n := &Node{Kind: "workflow", Name: name, Queue: w.Spec.Queue, Priority: w.Spec.Priority, Params: w.Spec.Params, Open: undecided}
	concurrency := ""
	if c := plan.Concurrency(&w.Spec); c != nil && *c >= 0 {
		concurrency = fmt.Sprint(*c)
	}
	n.limit(concurrency, w.Spec.Approved, nil)
	if w.Spec.Timeout != nil {
		n.Limits = append(n.Limits, "timeout "+w.Spec.Timeout.Duration.String())
	}
	o, err := plan.NewOutline(ctx, w, undecided)
	if err != nil {
		return nil, err
	}
	n.Total = o.Total()
	if o.Graph != nil {
		err = p.dag(ctx, o, n)
	} else {
		err = p.matrix(ctx, w, o, n)
	}
	if err != nil {
		return nil, err
	}
	if o.HasExit() {
		exit, err := o.Exit(ctx, p.component)
		if err != nil {
			return nil, err
		}
		child, err := p.child(ctx, exit, plan.ExitName)
		if err != nil {
			return nil, err
		}
		child.Notes = append(child.Notes, "runs when all else is over, whatever came of it")
		n.add(child, 1)
	}
	return n, nil
}

func (n *Node) add(child *Node, times int64) {
	n.Children = append(n.Children, child)
	if child.Not == "" {
		n.Operations = n.Operations.plus(child.Operations, times)
	} else if child.Operations != (Count{}) {
		n.Operations.More = true
	}
}

// child previews what a step or trial would run as.
func (p *Previewer) child(ctx context.Context, c plan.Outlined, name string) (*Node, error) {
	if w, is := c.Object.(*v1alpha1.Workflow); is {
		return p.workflow(ctx, w, name, c.Open)
	}
	n := p.operation(c.Object.(*v1alpha1.Operation))
	n.Name, n.Open = name, c.Open
	if len(n.Open) > 0 {
		return n, nil
	}
	return n, p.compile(ctx, c.Object)
}

// compile finds what only the values of params show.
func (p *Previewer) compile(ctx context.Context, o client.Object) error {
	op := o.(*v1alpha1.Operation)
	component := p.Components[op.Spec.Component]
	if op.Spec.Component != "" && component == nil {
		return nil
	}
	_, err := operation.TryOut(ctx, op, component, tenancy.Assignment{Queue: op.Spec.Queue, Project: op.Spec.Project})
	return err
}

// dag previews the steps in the order in which they would start if all went well.
func (p *Previewer) dag(ctx context.Context, o *plan.Outline, n *Node) error {
	g := o.Graph
	nodes := make([]*Node, g.Len())
	decided := workflow.IfAllSucceed(g, func(node int) (bool, error) {
		_, holds, _, err := o.Condition(ctx, node)
		return holds, err
	})
	for i := range nodes {
		c, err := o.Step(ctx, i, p.component)
		if err != nil {
			return err
		}
		child, err := p.child(ctx, c, g.Node(i).Name)
		if err != nil {
			return err
		}
		if text, _, known, _ := o.Condition(ctx, i); !known {
			child.When, child.Operations.Fewer = text, true
		}
		for _, u := range g.Upstreams(i) {
			child.After = append(child.After, g.Node(int(u)).Name)
		}
		if t := g.Node(i).Trigger; t != "" && t != workflow.AllSucceeded {
			child.Trigger = t
		}
		if d := decided[i]; d.Status != workflow.Active {
			child.Not = fmt.Sprintf("%s: %s", d.Status, d.Reason)
			if d.Status == workflow.Skipped || d.Status == workflow.Failed {
				child.Operations = Count{}
			}
		}
		nodes[i] = child
	}
	for _, i := range g.Order() {
		n.add(nodes[i], 1)
	}
	return nil
}

// matrix previews the first trials.
func (p *Previewer) matrix(ctx context.Context, w *v1alpha1.Workflow, o *plan.Outline, n *Node) error {
	n.Search = kindOf(w)
	if o.Asks() {
		c, err := o.Suggest(ctx, p.component)
		if err != nil {
			return err
		}
		child, err := p.child(ctx, c, "suggest")
		if err != nil {
			return err
		}
		child.Notes = append(child.Notes, fmt.Sprintf("is asked at most %d times which trials come next", o.Iterations.MaxIterations()))
		child.Open = nil
		n.add(child, 1)
		n.Operations.More = true
	}
	if o.Search == nil || o.Iterations != nil {
		return p.anyTrial(ctx, o, n)
	}
	first := o.Search.Suggest(nil, p.Trials).Trials
	for _, t := range first {
		c, err := o.Trial(t, p.component)
		if err != nil {
			return err
		}
		child, err := p.child(ctx, c, fmt.Sprint(t.Index))
		if err != nil {
			return err
		}
		child.Continues = t.Continues
		n.add(child, 1)
	}
	if len(first) == 0 {
		return nil
	}
	last := n.Children[len(n.Children)-1]
	if n.Total < 0 {
		n.Operations.More = true
	} else if last.Like = n.Total - int64(len(first)); last.Like > 0 {
		n.Operations = n.Operations.plus(last.Operations, last.Like)
		if last.Kind == "workflow" && last.Operations.N != n.Children[0].Operations.N {
			n.Operations.More, n.Operations.Fewer = true, true
		}
	}
	if o.Learns() {
		n.Notes = append(n.Notes, "which trials follow depends on what comes of these")
		n.Operations.Fewer = n.Operations.Fewer || n.Search == "hyperband" || n.Search == "asha"
	}
	if drawn, err := p.drawn(ctx, w, n, first); err != nil {
		return err
	} else if drawn {
		n.Notes = append(n.Notes, "without a seed each workflow draws trials of its own: these are an example")
	}
	return nil
}

// anyTrial stands for trials of which nothing is known yet.
func (p *Previewer) anyTrial(ctx context.Context, o *plan.Outline, n *Node) error {
	c, err := o.AnyTrial(p.component)
	if err != nil {
		return err
	}
	child, err := p.child(ctx, c, "each trial")
	if err != nil {
		return err
	}
	child.Notes = append(child.Notes, "how many there are, and their params, what comes of others decides")
	child.Like, child.Operations.More = -1, true
	n.Children = append(n.Children, child)
	n.Operations.More = true
	return nil
}

// drawn says whether another workflow of the same words would have other trials.
func (p *Previewer) drawn(ctx context.Context, w *v1alpha1.Workflow, n *Node, first []search.Trial) (bool, error) {
	other := w.DeepCopy()
	other.UID = "another"
	o, err := plan.NewOutline(ctx, other, n.Open)
	if err != nil || o.Search == nil {
		return false, err
	}
	return !slices.EqualFunc(first, o.Search.Suggest(nil, p.Trials).Trials, func(a, b search.Trial) bool {
		return a.Index == b.Index && maps.EqualFunc(a.Params, b.Params, func(x, y json.RawMessage) bool { return string(x) == string(y) })
	}), nil
}

// kindOf is the kind of search of a matrix.
func kindOf(w *v1alpha1.Workflow) string {
	for i := range w.Spec.Templates {
		if t := &w.Spec.Templates[i]; t.Name == w.Spec.Entrypoint && t.Matrix != nil {
			return plan.KindNames[slices.Index(plan.Kinds(t.Matrix), true)]
		}
	}
	return ""
}

// Queues counts the operations of each queue, those of matrices by what is shown of them. The empty name is that of the
// default.
func (n *Node) Queues() map[string]Count {
	out := map[string]Count{}
	n.count(out, 1)
	return out
}

func (n *Node) count(into map[string]Count, times int64) {
	if n.Not != "" {
		return
	}
	times *= 1 + n.Like
	if n.Kind == "operation" {
		c := into[n.Queue].plus(n.Operations, times)
		c.More = c.More || times == 0
		into[n.Queue] = c
	}
	for _, c := range n.Children {
		c.count(into, times)
	}
}
