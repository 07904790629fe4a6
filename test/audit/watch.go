package audit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/watch"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	podgroups "sigs.k8s.io/scheduler-plugins/apis/scheduling/v1alpha1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Watcher feeds a judge from live clusters.
type Watcher struct {
	mu         sync.Mutex
	fleet      *Fleet
	violations []Violation
	report     func(Violation)
	stop       context.CancelFunc
	done       sync.WaitGroup
}

// Watch begins to audit a cluster and returns when it has seen what is there. Every violation is
// reported, if report is not nil, when it is found; Stop returns them all.
func Watch(ctx context.Context, cluster *rest.Config, config Config, report func(Violation)) (*Watcher, error) {
	return WatchFleet(ctx, map[string]*rest.Config{Hub: cluster}, config, report)
}

// WatchFleet is Watch of several clusters, one of which is named Hub.
func WatchFleet(ctx context.Context, clusters map[string]*rest.Config, config Config, report func(Violation)) (*Watcher, error) {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	names := slices.Sorted(maps.Keys(clusters))
	w := &Watcher{fleet: NewFleet(config, names...), report: report, stop: stop}
	for _, name := range names {
		if err := w.watch(ctx, running, name, clusters[name]); err != nil {
			w.Stop()
			return nil, err
		}
	}
	w.done.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-running.Done():
				return
			case <-tick.C:
				for _, name := range names {
					w.observe(name, Event{})
				}
			}
		}
	})
	return w, nil
}

// watch begins to follow a cluster.
func (w *Watcher) watch(ctx, running context.Context, name string, cluster *rest.Config) error {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	utilruntime.Must(podgroups.AddToScheme(scheme))
	cluster = rest.CopyConfig(cluster)
	cluster.QPS = -1
	c, err := client.NewWithWatch(cluster, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("audit: connect to cluster %s: %w", name, err)
	}
	// Pods come last: what they are judged by must be known before.
	kinds := [][]client.ObjectList{
		{&corev1.NamespaceList{}, &v1alpha1.AgentList{}, &v1alpha1.OrganizationList{}, &v1alpha1.ProjectList{}, &v1alpha1.QueueList{}},
		{&corev1.PodList{}},
	}
	for kind, list := range map[schema.GroupVersionKind]client.ObjectList{
		podgroups.SchemeGroupVersion.WithKind("PodGroup"): &podgroups.PodGroupList{},
		v1alpha1.GroupVersion.WithKind("Workflow"):        &v1alpha1.WorkflowList{},
		v1alpha1.GroupVersion.WithKind("Operation"):       &v1alpha1.OperationList{},
	} {
		switch _, err := c.RESTMapper().RESTMapping(kind.GroupKind()); {
		case err == nil:
			kinds[0] = append(kinds[0], list)
		case !apimeta.IsNoMatchError(err):
			return fmt.Errorf("audit: ask cluster %s for %s: %w", name, kind.Kind, err)
		}
	}
	for _, together := range kinds {
		var feeds []*feed
		for _, list := range together {
			feeds = append(feeds, w.follow(running, name, c, list))
		}
		for _, f := range feeds {
			select {
			case <-f.synced:
			case <-ctx.Done():
				return fmt.Errorf("audit: list %T of cluster %s: %w", f.list, name, ctx.Err())
			}
		}
	}
	return nil
}

// Stop ends the audit and returns every violation found.
func (w *Watcher) Stop() []Violation {
	w.stop()
	w.done.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keep(w.fleet.Finish(time.Now()))
	return w.violations
}

// Violations are those found so far.
func (w *Watcher) Violations() []Violation {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.violations)
}

// Summary is what was seen of each queue so far, at the hub if there are several clusters.
func (w *Watcher) Summary() []QueueSummary {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fleet.clusters[Hub].Summary()
}

// WorkflowSummary is what was seen of each workflow so far.
func (w *Watcher) WorkflowSummary() []WorkflowSummary {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fleet.clusters[Hub].WorkflowSummary()
}

func (w *Watcher) observe(cluster string, e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e.Time = time.Now()
	w.keep(w.fleet.Observe(cluster, e))
}

func (w *Watcher) keep(found []Violation) {
	w.violations = append(w.violations, found...)
	if w.report != nil {
		for _, v := range found {
			w.report(v)
		}
	}
}

// follow lists and watches one kind. A reflector hands on every event of its watch in the order of
// the resource versions, so no transition is lost between two events.
func (w *Watcher) follow(ctx context.Context, cluster string, c client.WithWatch, list client.ObjectList) *feed {
	f := &feed{watcher: w, cluster: cluster, list: list, synced: make(chan struct{}), known: map[types.UID]runtime.Object{}}
	options := func(raw metav1.ListOptions) *client.ListOptions {
		if _, pods := list.(*corev1.PodList); pods {
			raw.FieldSelector = "spec.schedulerName=" + v1alpha1.SchedulerName
		}
		return &client.ListOptions{Raw: &raw}
	}
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, raw metav1.ListOptions) (runtime.Object, error) {
			into := list.DeepCopyObject().(client.ObjectList)
			return into, c.List(ctx, into, options(raw))
		},
		WatchFuncWithContext: func(ctx context.Context, raw metav1.ListOptions) (watch.Interface, error) {
			return c.Watch(ctx, list.DeepCopyObject().(client.ObjectList), options(raw))
		},
	}
	r := cache.NewReflectorWithOptions(lw, nil, f, cache.ReflectorOptions{Name: "audit", TypeDescription: fmt.Sprintf("%T", list)})
	w.done.Go(func() { r.RunWithContext(ctx) })
	return f
}

// feed is the store of a reflector that passes on what it is told.
type feed struct {
	watcher *Watcher
	cluster string
	list    client.ObjectList
	listed  bool
	synced  chan struct{} // closed after the first list
	known   map[types.UID]runtime.Object
}

func (f *feed) Add(o any) error { return f.Update(o) }

func (f *feed) Update(o any) error {
	object := o.(runtime.Object)
	f.known[uidOf(object)] = object
	f.watcher.observe(f.cluster, Event{Object: object})
	return nil
}

func (f *feed) Delete(o any) error {
	object := o.(runtime.Object)
	delete(f.known, uidOf(object))
	f.watcher.observe(f.cluster, Event{Object: object, Deleted: true})
	return nil
}

// Replace is told what a list has shown, at the start and after a watch was lost. What ended in
// between is passed on before what began: a list is a moment at which the limits held, whatever
// the order of the events before it was.
func (f *feed) Replace(listed []any, _ string) error {
	now := map[types.UID]runtime.Object{}
	for _, o := range listed {
		object := o.(runtime.Object)
		now[uidOf(object)] = object
	}
	for uid, o := range f.known {
		if _, still := now[uid]; !still {
			f.watcher.observe(f.cluster, Event{Object: o, Deleted: true})
		}
	}
	f.known = now
	first := !f.listed
	f.listed = true
	for _, ends := range []bool{true, false} {
		for _, o := range now {
			if p, isPod := o.(*corev1.Pod); (isPod && phaseOf(p) == podEnded) == ends {
				f.watcher.observe(f.cluster, Event{Object: o, Found: first})
			}
		}
	}
	if first {
		close(f.synced)
	}
	return nil
}

func (f *feed) Resync() error { return nil }

func uidOf(o runtime.Object) types.UID {
	m, err := apimeta.Accessor(o)
	if err != nil {
		return ""
	}
	return m.GetUID()
}
