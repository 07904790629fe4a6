// Package load keeps queues busy with operations at a steady pace, and tells what became of each of them.
package load

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Options are where the load is put, and what it is made of.
type Options struct {
	// Namespace of the operations; their agent has the same name, and those of the queues begin with it.
	Namespace string
	// Pod is the template of each operation, as JSON.
	Pod string
	// Pace is how often something is submitted: a little more than the seats serve, so that somebody always waits.
	Pace time.Duration
}

// seats of the agent are fewer than those of its queues together.
const seats = 5

// queues by their names, which follow on that of the namespace.
var queues = map[string]v1alpha1.QueueSpec{
	"-high": {Priority: number(9), Concurrency: number(2)},
	"-mid":  {Priority: number(5), Concurrency: number(2)},
	"-low":  {Priority: number(1), Concurrency: number(3)},
}

func number(n int32) *int32 { return &n }

// Load submits operations and sees what becomes of them.
type Load struct {
	client  client.Client
	options Options
	mu      sync.Mutex
	// submitted are the UIDs by name, accepted is when each was taken. refused counts tries that failed: they were made
	// again until they went through.
	submitted map[string]types.UID
	accepted  map[types.UID]time.Time
	refused   int
	// served is when the youngest operation was accepted of which a pod got a node.
	served time.Time
	// pods of each operation that were seen on a node; placed is when each was first seen there.
	pods   map[types.UID]map[types.UID]bool
	placed []time.Time
}

// New is a load that has submitted nothing yet.
func New(c client.Client, o Options) *Load {
	return &Load{client: c, options: o, submitted: map[string]types.UID{}, accepted: map[types.UID]time.Time{}, pods: map[types.UID]map[types.UID]bool{}}
}

// SetUp makes what the load needs.
func (l *Load) SetUp(ctx context.Context) error {
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: l.options.Namespace, Labels: map[string]string{v1alpha1.ManagedLabel: "true"}}},
		&v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: l.options.Namespace}, Spec: v1alpha1.AgentSpec{Concurrency: number(seats)}},
	}
	for name, spec := range queues {
		spec.Agent = l.options.Namespace
		objects = append(objects, &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: l.options.Namespace + name}, Spec: spec})
	}
	for _, o := range objects {
		if err := l.client.Create(ctx, o); err != nil {
			return fmt.Errorf("make %s: %w", o.GetName(), err)
		}
	}
	return nil
}

// Submit submits at the pace until ctx ends. What does not go through is tried again under the same name.
func (l *Load) Submit(ctx context.Context) {
	names := make([]string, 0, len(queues))
	for name := range queues {
		names = append(names, name)
	}
	slices.Sort(names)
	tick := time.NewTicker(l.options.Pace)
	defer tick.Stop()
	for n := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		op := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: l.options.Namespace, Name: fmt.Sprintf("op-%05d", n)}}
		op.Spec.Queue = l.options.Namespace + names[n%len(names)]
		op.Spec.Template = &v1alpha1.RunTemplate{Pod: &runtime.RawExtension{Raw: []byte(l.options.Pod)}}
		asked := time.Now()
		err := l.client.Create(ctx, op)
		if apierrors.IsAlreadyExists(err) { // an answer was lost
			err = l.client.Get(ctx, client.ObjectKeyFromObject(op), op)
		}
		l.mu.Lock()
		if err == nil {
			l.submitted[op.Name], l.accepted[op.UID] = op.UID, asked
			n++
		} else if ctx.Err() == nil {
			l.refused++
		}
		l.mu.Unlock()
	}
}

// Watch notes every pod that gets a node.
func (l *Load) Watch(ctx context.Context, c kubernetes.Interface) error {
	factory := informers.NewSharedInformerFactoryWithOptions(c, 0, informers.WithNamespace(l.options.Namespace))
	see := func(o any) {
		if pod, ok := o.(*corev1.Pod); ok && pod.Spec.NodeName != "" {
			l.sees(pod)
		}
	}
	_, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: see, UpdateFunc: func(_, o any) { see(o) }})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	return nil
}

func (l *Load) sees(pod *corev1.Pod) {
	l.mu.Lock()
	defer l.mu.Unlock()
	op := types.UID(pod.Labels[v1alpha1.OperationUIDLabel])
	if l.pods[op] == nil {
		l.pods[op] = map[types.UID]bool{}
	}
	if !l.pods[op][pod.UID] {
		l.pods[op][pod.UID] = true
		l.placed = append(l.placed, time.Now())
		if at := l.accepted[op]; at.After(l.served) {
			l.served = at
		}
	}
}

// Stall is the longest time between two pods that got a node, of which at least a part is between two moments.
func (l *Load) Stall(from, to time.Time) (longest time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := from
	for _, at := range l.placed {
		switch {
		case at.Before(from):
			last = at
			continue
		case last.After(to):
			return longest
		}
		longest = max(longest, at.Sub(last))
		last = at
	}
	if last.Before(to) {
		longest = max(longest, to.Sub(last))
	}
	return longest
}

// UntilServed waits until an operation that was submitted after a moment has got a node: everything works again.
func (l *Load) UntilServed(ctx context.Context, moment time.Time) error {
	return wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(context.Context) (bool, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.served.After(moment), nil
	})
}

// Outcome is what became of the load.
type Outcome struct {
	Submitted int `json:"submitted"`
	// Refused submissions were tried again until they went through.
	Refused  int `json:"refused"`
	Finished int `json:"finished"`
	// Lost are not there any more, or did not succeed. Doubled had more than one pod on a node.
	Lost    []string `json:"lost"`
	Doubled []string `json:"doubled"`
}

// Outcome asks the API server for every operation that was ever accepted.
func (l *Load) Outcome(ctx context.Context) (Outcome, error) {
	ops := &v1alpha1.OperationList{}
	if err := l.client.List(ctx, ops, client.InNamespace(l.options.Namespace)); err != nil {
		return Outcome{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	succeeded := map[types.UID]bool{}
	for i := range ops.Items {
		succeeded[ops.Items[i].UID] = ops.Items[i].Status.Phase == v1alpha1.StatusSucceeded
	}
	out := Outcome{Submitted: len(l.submitted), Refused: l.refused}
	for name, uid := range l.submitted {
		if succeeded[uid] {
			out.Finished++
		} else {
			out.Lost = append(out.Lost, name)
		}
		if len(l.pods[uid]) > 1 {
			out.Doubled = append(out.Doubled, name)
		}
	}
	slices.Sort(out.Lost)
	slices.Sort(out.Doubled)
	return out, nil
}
