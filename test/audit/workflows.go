package audit

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// workflow is what the auditor keeps of a Workflow. When it is deleted its limit holds for what is left below it.
type workflow struct {
	name      string // namespace/name
	parent    types.UID
	over      bool     // it is stopped, or deleted: nothing more is to go
	history   *history // of its concurrency, from its beginning
	inFlight  int      // operations, at any depth
	peak      int
	limit     int64 // the largest that was in force
	lastStart time.Time
}

func (w *workflow) String() string { return "workflow " + w.name }

// forever is a horizon behind which nothing lies.
const forever = time.Duration(math.MaxInt64)

// deepest bounds how far up a workflow is followed.
const deepest = 100

// observeWorkflow takes a change of a workflow. One that is seen for the first time was there before whatever
// is made for it, so its limit has held from the beginning, whichever of the two watches is ahead.
func (a *Auditor) observeWorkflow(now time.Time, o *v1alpha1.Workflow, deleted bool) {
	f := &a.flights
	bounds := limitsOf(o.Spec.Concurrency, nil)
	w := f.workflows[o.UID]
	if w == nil {
		w = &workflow{name: o.Namespace + "/" + o.Name, history: newHistory(bounds)}
		f.workflows[o.UID] = w
		f.recount()
	}
	w.over = deleted || o.DeletionTimestamp != nil || o.Spec.DesiredState == v1alpha1.Stopped
	if deleted {
		return
	}
	w.history.set(now, bounds, forever)
	if limit, bounded := bounds[operations]; bounded {
		w.limit = larger(w.limit, limit.Value())
	} else {
		w.limit = v1alpha1.Unlimited
	}
	if parent := parentOf(o); parent != w.parent {
		w.parent = parent
		f.recount()
	}
}

// larger of two limits.
func larger(a, b int64) int64 {
	if a == v1alpha1.Unlimited {
		return a
	}
	return max(a, b)
}

// parentOf is the workflow that a workflow is a child of: its controller, if the mark on it says the same.
func parentOf(o *v1alpha1.Workflow) types.UID {
	c := metav1.GetControllerOf(o)
	if c == nil || c.Kind != "Workflow" || !strings.HasPrefix(c.APIVersion, v1alpha1.GroupVersion.Group+"/") || string(c.UID) != o.Labels[v1alpha1.WorkflowUIDLabel] {
		return ""
	}
	return c.UID
}

// around are a workflow and those around it, the innermost first, and whether all of them have been seen.
func (f *flights) around(uid types.UID) (all []*workflow, complete bool) {
	for range deepest {
		w := f.workflows[uid]
		if w == nil {
			return all, false
		}
		all = append(all, w)
		if w.parent == "" {
			return all, true
		}
		uid = w.parent
	}
	return all, false
}

// recount counts anew what is in flight below each workflow, after one has become known or has changed its place.
func (f *flights) recount() {
	for _, w := range f.workflows {
		w.inFlight = 0
	}
	for _, uid := range f.inFlight {
		around, _ := f.around(uid)
		for _, w := range around {
			w.inFlight++
		}
	}
	for _, w := range f.workflows {
		w.peak = max(w.peak, w.inFlight)
	}
}

// WorkflowSummary is what was seen of one workflow.
type WorkflowSummary struct {
	// Workflow is its namespace/name.
	Workflow string `json:"workflow"`
	// Peak is the largest number of operations below it that were in flight at one moment.
	Peak int `json:"peak"`
	// Limit is the largest concurrency that was in force; -1 is unlimited.
	Limit int64 `json:"limit"`
}

// WorkflowSummary is what was seen of each workflow, by name.
func (a *Auditor) WorkflowSummary() []WorkflowSummary {
	var all []WorkflowSummary
	for _, w := range a.flights.workflows {
		all = append(all, WorkflowSummary{Workflow: w.name, Peak: w.peak, Limit: w.limit})
	}
	slices.SortFunc(all, func(x, y WorkflowSummary) int {
		return cmp.Or(cmp.Compare(x.Workflow, y.Workflow), cmp.Compare(x.Peak, y.Peak), cmp.Compare(x.Limit, y.Limit))
	})
	return all
}
