package webhook

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/cache"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

func reader(t *testing.T, calls *int, objects ...client.Object) client.Reader {
	t.Helper()
	scheme := runtime.NewScheme()
	require.NoError(t, v1alpha1.AddToScheme(scheme))
	require.NoError(t, corev1.AddToScheme(scheme))
	count := interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			*calls++
			return c.List(ctx, list, opts...)
		},
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(count).Build()
}

func named(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }

func always(string) bool { return true }
func never(string) bool  { return false }

// What was created a moment ago is in the API server and not yet in the cache.
func TestAnAbsenceIsConfirmed(t *testing.T) {
	ns := &corev1.Namespace{ObjectMeta: named("n")}
	other := &v1alpha1.Queue{ObjectMeta: named("default")}
	fresh := &v1alpha1.Queue{ObjectMeta: named("fresh")}
	project := &v1alpha1.Project{ObjectMeta: named("p"), Spec: v1alpha1.ProjectSpec{DefaultQueue: "fresh", Namespaces: v1alpha1.ProjectNamespaces{Names: []string{"n"}}}}
	var cachedLists, liveLists int
	live := reader(t, &liveLists, ns, other, fresh, project)
	for name, tc := range map[string]struct {
		cached []client.Object
		labels map[string]string
		enters func(string) bool
		want   tenancy.Assignment
	}{
		"nothing in the cache": {enters: always, want: tenancy.Assignment{Queue: "fresh", Project: "p", Source: "project p"}},
		"queue not in the cache": {
			cached: []client.Object{ns, other, project}, enters: never,
			want: tenancy.Assignment{Queue: "fresh", Project: "p", Source: "project p"},
		},
		"project not in the cache": {
			cached: []client.Object{ns, other, fresh}, enters: always,
			want: tenancy.Assignment{Queue: "fresh", Project: "p", Source: "project p"},
		},
		"a later pod of an operation goes by the cache": {
			cached: []client.Object{ns, other, fresh}, enters: never, labels: map[string]string{v1alpha1.QueueLabel: "fresh"},
			want: tenancy.Assignment{Queue: "fresh", Source: "label"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAssigner(reader(t, &cachedLists, tc.cached...), live, "default")
			got, err := a.assign(t.Context(), tenancy.Claim{Namespace: "n", Labels: tc.labels}, tc.enters)
			require.NoError(t, err)
			assert.Equal(t, tc.want, got)
		})
	}
}

func TestAConfirmedAbsenceIsNotAskedAgain(t *testing.T) {
	objects := []client.Object{&corev1.Namespace{ObjectMeta: named("n")}, &v1alpha1.Queue{ObjectMeta: named("default")}}
	var cachedLists, liveLists int
	a := newAssigner(reader(t, &cachedLists, objects...), reader(t, &liveLists, objects...), "default")
	clock := clocktesting.NewFakeClock(time.Now())
	a.withoutProject = cache.NewExpiringWithClock(clock)
	ask := func() {
		_, err := a.assign(t.Context(), tenancy.Claim{Namespace: "n"}, always)
		require.NoError(t, err)
	}
	for range 3 {
		ask()
	}
	assert.Equal(t, 3, cachedLists)
	assert.Equal(t, 1, liveLists)
	clock.Step(confirmedFor)
	ask()
	assert.Equal(t, 2, liveLists)
}

// Of those that come at the same time one asks the API server, and the others believe the answer. Where
// there is none, they ask themselves.
func TestOneAsksForAll(t *testing.T) {
	const callers = 8
	scheme := runtime.NewScheme()
	require.NoError(t, v1alpha1.AddToScheme(scheme))
	require.NoError(t, corev1.AddToScheme(scheme))
	objects := []client.Object{&corev1.Namespace{ObjectMeta: named("n")}, &v1alpha1.Queue{ObjectMeta: named("default")}}
	for name, tc := range map[string]struct {
		first  error
		failed int
	}{
		"answered":     {},
		"not answered": {first: errors.New("connection refused"), failed: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked atomic.Int32
				open := make(chan struct{})
				live := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
					List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
						n := asked.Add(1)
						<-open
						if n == 1 && tc.first != nil {
							return tc.first
						}
						return c.List(ctx, list, opts...)
					},
				}).Build()
				a := newAssigner(fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build(), live, "default")
				errs := make(chan error, callers)
				for range callers {
					go func() {
						got, err := a.assign(t.Context(), tenancy.Claim{Namespace: "n"}, always)
						if err == nil && (got.Queue != "default" || got.Project != "") {
							t.Errorf("assigned to %+v", got)
						}
						errs <- err
					}()
				}
				synctest.Wait()
				assert.Equal(t, int32(1), asked.Load())
				close(open)
				failed := 0
				for range callers {
					if <-errs != nil {
						failed++
					}
				}
				assert.Equal(t, tc.failed, failed)
				if tc.first == nil {
					assert.Equal(t, int32(1), asked.Load())
				}
			})
		})
	}
}

// A failed read is no refusal: the client may try again.
func TestAFailedReadIsNoRefusal(t *testing.T) {
	scheme := runtime.NewScheme()
	require.NoError(t, v1alpha1.AddToScheme(scheme))
	require.NoError(t, corev1.AddToScheme(scheme))
	broken := fake.NewClientBuilder().WithScheme(scheme).WithObjects(&corev1.Namespace{ObjectMeta: named("n")}).
		WithInterceptorFuncs(interceptor.Funcs{
			List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
				return errors.New("connection refused")
			},
		}).Build()
	_, err := newAssigner(broken, broken, "default").assign(t.Context(), tenancy.Claim{Namespace: "n"}, always)
	require.EqualError(t, err, "queues and projects could not be read: connection refused")
	response := answer(err)
	assert.False(t, response.Allowed)
	assert.Equal(t, int32(500), response.Result.Code)
}
