package operation

import (
	"context"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// failures are what events say has failed last, of all objects of a namespace together: the API server has no index of events, so to
// ask it about one object costs it as much as about all. It is asked once in startsWithin for each namespace where something does not
// start, however many these are.
type failures struct {
	live  client.Reader
	clock clock.PassiveClock

	mu         sync.Mutex
	namespaces *lru.Cache
}

// failure is that something failed, and that nothing happened since.
type failure struct{ reason, message string }

type failuresOf struct {
	mu    sync.Mutex
	asked time.Time
	last  map[types.UID]failure
	err   error
}

// keptNamespaces bounds the namespaces whose failures are kept.
const keptNamespaces = 1000

func newFailures(live client.Reader, clock clock.PassiveClock) *failures {
	return &failures{live: live, clock: clock, namespaces: lru.New(keptNamespaces)}
}

// of is the failure of an object; nil: there is none.
func (f *failures) of(ctx context.Context, object client.Object) (*failure, error) {
	f.mu.Lock()
	found, ok := f.namespaces.Get(object.GetNamespace())
	if !ok {
		found = &failuresOf{}
		f.namespaces.Add(object.GetNamespace(), found)
	}
	f.mu.Unlock()
	in := found.(*failuresOf)
	in.mu.Lock()
	defer in.mu.Unlock()
	if since := f.clock.Since(in.asked); since < 0 || since >= startsWithin {
		in.last, in.err = f.read(ctx, object.GetNamespace())
		in.asked = f.clock.Now()
	}
	if last, failed := in.last[object.GetUID()]; failed {
		return &last, nil
	}
	return nil, in.err
}

func (f *failures) read(ctx context.Context, namespace string) (map[types.UID]failure, error) {
	last := map[types.UID]corev1.Event{}
	for next := ""; ; {
		page := &corev1.EventList{}
		if err := f.live.List(ctx, page, client.InNamespace(namespace), client.Limit(pageSize), client.Continue(next)); err != nil {
			return nil, err
		}
		for i := range page.Items {
			e := &page.Items[i]
			if before, ok := last[e.InvolvedObject.UID]; !ok || later(e, &before) {
				last[e.InvolvedObject.UID] = *e
			}
		}
		if next = page.Continue; next == "" {
			break
		}
	}
	failed := map[types.UID]failure{}
	for uid, e := range last {
		if e.Type == corev1.EventTypeWarning && strings.HasPrefix(e.Reason, "Failed") && e.Reason != "FailedScheduling" {
			failed[uid] = failure{e.Reason, e.Message}
		}
	}
	return failed, nil
}

// later says which of two events is the last; of those of the same second a warning is.
func later(e, before *corev1.Event) bool {
	order := eventTime(e).Compare(eventTime(before))
	return order > 0 || order == 0 && e.Type == corev1.EventTypeWarning
}

// eventTime is when an event was last seen, whichever of the two APIs of events it was written with.
func eventTime(e *corev1.Event) time.Time {
	at := e.LastTimestamp.Time
	if e.EventTime.After(at) {
		at = e.EventTime.Time
	}
	if e.Series != nil && e.Series.LastObservedTime.After(at) {
		at = e.Series.LastObservedTime.Time
	}
	return at.Truncate(time.Second)
}
