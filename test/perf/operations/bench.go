package main

import (
	"context"
	"fmt"
	"os"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/test/perf/harness"
)

const (
	namespace = "bench"
	// warmUp is how many operations pay for cold caches and connections.
	warmUp = 100
)

// bench measures on one cluster.
type bench struct {
	*harness.Cluster
	runs int
}

// prepare makes the namespace and sends a first few operations that nobody measures.
func (b *bench) prepare(ctx context.Context) error {
	if err := b.ManagedNamespace(ctx, namespace); err != nil {
		return err
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
	if err := s.watched.Await(ctx); err != nil {
		return err
	}
	return b.Quiet(ctx)
}

// sending is the operations of one run on their way.
type sending struct {
	bench   *bench
	run     string
	queues  []string
	watched *harness.Watched
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
	s.watched = harness.NewWatched(seats, expected, enough)
	ctx, s.stop = context.WithCancel(ctx)
	return s, s.watched.Watch(ctx, b.Cluster, namespace)
}

func (s *sending) queue(i int) string { return s.queues[i%len(s.queues)] }

// create makes the operations with the numbers from to to.
func (s *sending) create(ctx context.Context, from, to int) error {
	return harness.CreateAll(ctx, to-from, func(ctx context.Context, i int) error {
		i += from
		return s.bench.Objects.Create(ctx, operationOf(fmt.Sprintf("%s-%d", s.run, i), s.queue(i)))
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
	op.Spec.Queue, op.Spec.Template = queue, harness.Template()
	op.Spec.Params = v1alpha1.Values{"rate": apiextensionsv1.JSON{Raw: []byte("0.1")}}
	return op
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
