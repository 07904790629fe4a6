package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/test/perf/harness"
)

const (
	namespace = "bench"
	// warmUp is how many children pay for cold caches and connections.
	warmUp = 100
)

// mapped is one run of a map.
type mapped struct {
	Children int `json:"children"`
	Outer    int `json:"nested"` // 0: all children are the workflow's own
	Seats    int `json:"seats"`
	// Whole is the seconds from the creation of the workflow to its success.
	Whole float64 `json:"wholeSeconds"`
	// Heap of the controller before and after, and RSS before, in MiB.
	HeapBefore float64 `json:"heapBeforeMiB"`
	Heap       float64 `json:"heapMiB"`
	RSSBefore  float64 `json:"rssBeforeMiB"`
	harness.Figures
	harness.Costs
}

// shape is the children, as a table shows them.
func (m mapped) shape() string {
	if m.Outer == 0 {
		return fmt.Sprint(m.Children)
	}
	return fmt.Sprintf("%d × %d", m.Outer, m.Children/m.Outer)
}

// bench measures on one cluster.
type bench struct {
	*harness.Cluster
}

// prepare makes the namespace and runs a first few children that nobody measures.
func (b *bench) prepare(ctx context.Context) error {
	if err := b.ManagedNamespace(ctx, namespace); err != nil {
		return err
	}
	_, err := b.follow(ctx, "warm", mapped{Children: warmUp, Seats: warmUp})
	return err
}

// run measures a map.
func (b *bench) run(ctx context.Context, m mapped) (mapped, error) {
	before, err := b.Read(ctx)
	if err != nil {
		return m, err
	}
	if m, err = b.follow(ctx, "map", m); err != nil {
		return m, err
	}
	after, err := b.Read(ctx)
	if err != nil {
		return m, err
	}
	m.Costs = harness.CostsOf(before, after, m.Children)
	m.HeapBefore, m.Heap, m.RSSBefore = before.Controller.Heap, after.Controller.Heap, before.RSS[sandbox.Controller]
	fmt.Fprintf(os.Stderr, "%s children: %.0f s, %.1f per second, turnover %.0f/%.0f ms, %.1f writes\n", m.shape(), m.Whole, m.Succeeded, m.TurnoverP50, m.TurnoverP99, m.WritesSum)
	return m, nil
}

// follow runs a map through a queue of its own until it is over and all is at rest.
func (b *bench) follow(ctx context.Context, name string, m mapped) (mapped, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := "bench-" + name
	if err := b.SetQueue(ctx, queue, new(int32(m.Seats)), v1alpha1.QueueOpen); err != nil {
		return m, err
	}
	watched := harness.NewWatched(m.Seats, map[string]int{queue: m.Children}, m.Children)
	if err := watched.Watch(ctx, b.Cluster, namespace); err != nil {
		return m, err
	}
	w := workflowOf(name, queue, m)
	start := time.Now()
	if err := b.Objects.Create(ctx, w); err != nil {
		return m, err
	}
	if err := watched.Await(ctx); err != nil {
		return m, err
	}
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		err := b.Objects.Get(ctx, client.ObjectKeyFromObject(w), w)
		return w.Status.Phase.Final(), err
	})
	if err != nil || w.Status.Phase != v1alpha1.StatusSucceeded {
		return m, fmt.Errorf("all children of workflow %s have succeeded, and it is %q: %w", name, w.Status.Phase, err)
	}
	m.Whole = time.Since(start).Seconds()
	m.Figures = watched.Figures()
	return m, b.Quiet(ctx)
}

// workflowOf maps over the numbers from 0.
func workflowOf(name, queue string, m mapped) *v1alpha1.Workflow {
	w := &v1alpha1.Workflow{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	w.Spec.Queue, w.Spec.Entrypoint = queue, "all"
	one := v1alpha1.WorkflowTemplate{Name: "one", Operation: &v1alpha1.OperationTemplate{Template: harness.Template()}}
	if m.Outer == 0 {
		w.Spec.Templates = []v1alpha1.WorkflowTemplate{over("all", "rate", m.Children, "one"), one}
	} else {
		w.Spec.Templates = []v1alpha1.WorkflowTemplate{over("all", "group", m.Outer, "some"), over("some", "rate", m.Children/m.Outer, "one"), one}
	}
	return w
}

// over is a template that runs another with a param from 0 to n-1.
func over(name, param string, n int, template string) v1alpha1.WorkflowTemplate {
	raw, err := json.Marshal([]int{0, n, 1})
	if err != nil {
		panic(err) // they are numbers
	}
	return v1alpha1.WorkflowTemplate{Name: name, Matrix: &v1alpha1.Matrix{
		Template: template,
		Grid:     &v1alpha1.Grid{Params: map[string]v1alpha1.Distribution{param: {Kind: "range", Value: apiextensionsv1.JSON{Raw: raw}}}},
	}}
}
