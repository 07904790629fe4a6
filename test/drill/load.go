package drill

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
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

const (
	namespace = "drill"
	agent     = "drill"
	// pace is how often something is submitted: a little more than the seats serve, so that somebody always waits.
	pace = 350 * time.Millisecond
)

// queues of the drill; their seats together are more than the agent's.
var queues = map[string]v1alpha1.QueueSpec{
	"drill-high": {Agent: agent, Priority: number(9), Concurrency: number(2)},
	"drill-mid":  {Agent: agent, Priority: number(5), Concurrency: number(2)},
	"drill-low":  {Agent: agent, Priority: number(1), Concurrency: number(3)},
}

func number(n int32) *int32 { return &n }

// setUp makes what the load needs.
func setUp(ctx context.Context, c client.Client) error {
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{v1alpha1.ManagedLabel: "true"}}},
		&v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: agent}, Spec: v1alpha1.AgentSpec{Concurrency: number(5)}},
	}
	for name, spec := range queues {
		objects = append(objects, &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec})
	}
	for _, o := range objects {
		if err := c.Create(ctx, o); err != nil {
			return fmt.Errorf("make %s: %w", o.GetName(), err)
		}
	}
	return nil
}

// onePod runs for two seconds on a simulated node.
const onePod = `{"metadata": {"annotations": {"sandbox.queueyard.io/duration": "2s"}}, "spec": {"nodeSelector": {"type": "simulated"},
"tolerations": [{"key": "queueyard.io/simulated", "operator": "Exists"}], "containers": [{"name": "main", "image": "none", "resources": {"requests": {"cpu": "1"}}}]}}`

// load submits operations and sees what becomes of them.
type load struct {
	client client.Client
	mu     sync.Mutex
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

func newLoad(c client.Client) *load {
	return &load{client: c, submitted: map[string]types.UID{}, accepted: map[types.UID]time.Time{}, pods: map[types.UID]map[types.UID]bool{}}
}

// submit submits at the pace until ctx ends. What does not go through is tried again under the same name.
func (l *load) submit(ctx context.Context) {
	names := make([]string, 0, len(queues))
	for name := range queues {
		names = append(names, name)
	}
	slices.Sort(names)
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for n := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		op := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("op-%05d", n)}}
		op.Spec.Queue = names[n%len(names)]
		op.Spec.Template = &v1alpha1.RunTemplate{Pod: &runtime.RawExtension{Raw: []byte(onePod)}}
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

// watch notes every pod that gets a node.
func (l *load) watch(ctx context.Context, c kubernetes.Interface) error {
	factory := informers.NewSharedInformerFactoryWithOptions(c, 0, informers.WithNamespace(namespace))
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

func (l *load) sees(pod *corev1.Pod) {
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

// stall is the longest time between two pods that got a node, of which at least a part is between two moments.
func (l *load) stall(from, to time.Time) (longest time.Duration) {
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

// servedSince tells whether an operation that was submitted after a moment has got a node.
func (l *load) servedSince(moment time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.served.After(moment)
}

// outcome is what became of the load.
type outcome struct {
	Submitted int `json:"submitted"`
	// Refused submissions were tried again until they went through.
	Refused  int `json:"refused"`
	Finished int `json:"finished"`
	// Lost are not there any more, or did not succeed. Doubled had more than one pod on a node.
	Lost    []string `json:"lost"`
	Doubled []string `json:"doubled"`
}

// outcome asks the API server for every operation that was ever accepted.
func (l *load) outcome(ctx context.Context) (outcome, error) {
	ops := &v1alpha1.OperationList{}
	if err := l.client.List(ctx, ops, client.InNamespace(namespace)); err != nil {
		return outcome{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	succeeded := map[types.UID]bool{}
	for i := range ops.Items {
		succeeded[ops.Items[i].UID] = ops.Items[i].Status.Phase == v1alpha1.StatusSucceeded
	}
	out := outcome{Submitted: len(l.submitted), Refused: l.refused}
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
