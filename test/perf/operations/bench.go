package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/sandbox/simulation"
	"github.com/queueyard/queueyard/test/perf/harness"
)

const (
	namespace = "bench"
	// quiet is the number of writes in a second below which a cluster counts as at rest: more than the
	// scheduler's telling waiting pods why they wait.
	quiet = 30
	// warmUp is how many operations pay for cold caches and connections.
	warmUp = 100
	// resting bounds the wait for a cluster at rest.
	resting = 2 * time.Minute
)

// bench measures on one cluster.
type bench struct {
	*harness.Cluster
	runs int
}

// prepare makes the namespace and sends a first few operations that nobody measures.
func (b *bench) prepare(ctx context.Context) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{v1alpha1.ManagedLabel: "true"}}}
	if err := b.Objects.Create(ctx, ns); err != nil {
		return err
	}
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		_, err := b.Client.CoreV1().ServiceAccounts(namespace).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, nil
	})
	if err != nil {
		return fmt.Errorf("no service account in namespace %s: %w", namespace, err)
	}
	const queue = "bench-warm"
	if err := b.SetQueue(ctx, queue, nil, v1alpha1.QueueOpen); err != nil {
		return err
	}
	s, err := b.start(ctx, []string{queue}, 0, warmUp, warmUp)
	if err != nil {
		return err
	}
	defer s.stop()
	if err := s.create(ctx, 0, warmUp); err != nil {
		return err
	}
	if err := await(ctx, s.watched.Done); err != nil {
		return err
	}
	return b.rest(ctx)
}

func (b *bench) rest(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, resting)
	defer cancel()
	return b.Rest(ctx, quiet)
}

// sending is the operations of one run on their way.
type sending struct {
	bench   *bench
	run     string
	queues  []string
	watched *watched
	stop    context.CancelFunc
}

// start watches a run of n operations, of which enough are to succeed.
func (b *bench) start(ctx context.Context, queues []string, seats, n, enough int) (*sending, error) {
	b.runs++
	s := &sending{bench: b, run: fmt.Sprintf("run-%d", b.runs), queues: queues}
	expected := map[string]int{}
	for i := range n {
		expected[s.queue(i)]++
	}
	s.watched = newWatched(harness.NewRecorder(seats, expected), enough)
	ctx, s.stop = context.WithCancel(ctx)
	if err := b.Follow(ctx, &corev1.PodList{}, namespace, v1alpha1.OperationLabel, s.watched.seePod); err != nil {
		return nil, err
	}
	return s, b.Follow(ctx, &v1alpha1.OperationList{}, namespace, "", s.watched.seeOperation)
}

func (s *sending) queue(i int) string { return s.queues[i%len(s.queues)] }

// create makes the operations with the numbers from to to.
func (s *sending) create(ctx context.Context, from, to int) error {
	return harness.CreateAll(ctx, to-from, func(ctx context.Context, i int) error {
		i += from
		op := operationOf(fmt.Sprintf("%s-%d", s.run, i), s.queue(i))
		s.watched.created(op.Name, s.queue(i))
		return s.bench.Objects.Create(ctx, op)
	})
}

func (s *sending) set(ctx context.Context, seats int, state v1alpha1.QueueState) error {
	for _, q := range s.queues {
		if err := s.bench.SetQueue(ctx, q, new(int32(seats)), state); err != nil {
			return err
		}
	}
	return nil
}

// operationOf makes an operation that runs for a second on a simulated node.
func operationOf(name, queue string) *v1alpha1.Operation {
	op := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	op.Spec.Queue = queue
	op.Spec.Params = v1alpha1.Values{"rate": apiextensionsv1.JSON{Raw: []byte("0.1")}}
	op.Spec.Template = &v1alpha1.RunTemplate{Pod: &runtime.RawExtension{Raw: template}}
	return op
}

var template = encode(map[string]any{"spec": map[string]any{
	"nodeSelector": map[string]any{simulation.Label: simulation.LabelValue},
	"tolerations":  []any{map[string]any{"key": simulation.Taint, "operator": "Exists"}},
	"containers": []any{map[string]any{
		"name": "main", "image": "none", "command": []any{"train", "--rate", "{{ params.rate }}", "--try", "{{ globals.attempt }}"},
		"resources": map[string]any{"requests": map[string]any{"cpu": 1}},
	}},
}})

func encode(tree any) []byte {
	raw, err := json.Marshal(tree)
	if err != nil {
		panic(err) // it is a constant
	}
	return raw
}

func await(ctx context.Context, done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("not all operations ended: %w", ctx.Err())
	}
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
