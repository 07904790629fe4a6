// Package load keeps queues busy with operations at a steady pace, and tells what became of each of them.
package load

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
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
	// Job is the specification of every fourth thing that is submitted, which then is a Job; nil: there are none.
	Job *batchv1.JobSpec
	// Pace is how often something is submitted: a little more than the seats serve, so that somebody always waits.
	Pace time.Duration
	// Waiting is how many may be without a node before nothing more is submitted for a while; 0: any number.
	Waiting int
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
	// submitted are the UIDs by name. refused counts tries that failed: they were made again until they went through.
	submitted map[string]types.UID
	refused   int
	// asked is how often somebody waited until the load was served.
	asked int
	// pods of each operation that were seen on a node; placed is when each was first seen there.
	pods   map[types.UID]map[types.UID]bool
	placed []time.Time
}

// New is a load that has submitted nothing yet.
func New(c client.Client, o Options) *Load {
	return &Load{client: c, options: o, submitted: map[string]types.UID{}, pods: map[types.UID]map[types.UID]bool{}}
}

// SetUp makes what the load needs, and what is missing of it when it is called again.
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
		if err := l.client.Create(ctx, o); client.IgnoreAlreadyExists(err) != nil {
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
		if l.options.Waiting > 0 && l.waiting() >= l.options.Waiting {
			continue
		}
		name, queue := fmt.Sprintf("op-%05d", n), names[n%len(names)]
		var o client.Object = l.operation(name, queue)
		if l.options.Job != nil && n%4 == 3 {
			o = l.job(name, queue)
		}
		if l.submit(ctx, o) {
			n++
		}
	}
}

// waiting is how many were submitted and have not been seen on a node.
func (l *Load) waiting() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, uid := range l.submitted {
		if len(l.pods[uid]) == 0 {
			n++
		}
	}
	return n
}

// operation is one of the load, in one of its queues.
func (l *Load) operation(name, queue string) *v1alpha1.Operation {
	op := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: l.options.Namespace, Name: name}}
	op.Spec.Queue = l.options.Namespace + queue
	op.Spec.Template = &v1alpha1.RunTemplate{Pod: &runtime.RawExtension{Raw: []byte(l.options.Pod)}}
	return op
}

func (l *Load) job(name, queue string) *batchv1.Job {
	return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: l.options.Namespace, Name: name,
		Labels: map[string]string{v1alpha1.QueueLabel: l.options.Namespace + queue}}, Spec: *l.options.Job.DeepCopy()}
}

// submit tries to submit something, and says whether it went through.
func (l *Load) submit(ctx context.Context, o client.Object) bool {
	err := l.client.Create(ctx, o)
	if apierrors.IsAlreadyExists(err) { // an answer was lost
		err = l.client.Get(ctx, client.ObjectKeyFromObject(o), o)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.submitted[o.GetName()] = o.GetUID()
	} else if ctx.Err() == nil {
		l.refused++
	}
	return err == nil
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
	if owner := metav1.GetControllerOf(pod); op == "" && owner != nil {
		op = owner.UID
	}
	if l.pods[op] == nil {
		l.pods[op] = map[types.UID]bool{}
	}
	if !l.pods[op][pod.UID] {
		l.pods[op][pod.UID] = true
		l.placed = append(l.placed, time.Now())
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

// UntilServed waits until an operation that is submitted now, the first in the line of the first queue, has got a node:
// everything works.
func (l *Load) UntilServed(ctx context.Context) error {
	l.mu.Lock()
	l.asked++
	op := l.operation(fmt.Sprintf("first-%04d", l.asked), "-high")
	l.mu.Unlock()
	op.Spec.Priority = number(1)
	return wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		if op.UID == "" && !l.submit(ctx, op) {
			return false, nil
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.pods[op.UID]) > 0, nil
	})
}

// Lift gives so many seats to each queue and to all together, so that what waits is over soon.
func (l *Load) Lift(ctx context.Context, seats int32) error {
	raised := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec": {"concurrency": %d}}`, seats))
	limited := []client.Object{&v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: l.options.Namespace}}}
	for name := range queues {
		limited = append(limited, &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: l.options.Namespace + name}})
	}
	for _, o := range limited {
		if err := l.client.Patch(ctx, o, raised); err != nil {
			return fmt.Errorf("raise the limit of %s: %w", o.GetName(), err)
		}
	}
	return nil
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
	ops, jobs := &v1alpha1.OperationList{}, &batchv1.JobList{}
	for _, list := range []client.ObjectList{ops, jobs} {
		if err := l.client.List(ctx, list, client.InNamespace(l.options.Namespace)); err != nil {
			return Outcome{}, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	succeeded := map[types.UID]bool{}
	for i := range ops.Items {
		succeeded[ops.Items[i].UID] = ops.Items[i].Status.Phase == v1alpha1.StatusSucceeded
	}
	for i := range jobs.Items {
		succeeded[jobs.Items[i].UID] = jobs.Items[i].Status.Succeeded == 1
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
