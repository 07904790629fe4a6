package workflow

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/params"
	"github.com/queueyard/queueyard/pkg/search"
	"github.com/queueyard/queueyard/pkg/workflow"
	"github.com/queueyard/queueyard/pkg/workflow/plan"
)

// run is an attempt of a workflow that is under way: which of its children exist and where they stand. It can be made
// anew from the API at any time. Events of children change it while the workflow is worked on.
type run struct {
	mu        sync.Mutex
	namespace string
	plan      *plan.Plan
	attempt   int32

	children map[int64]*child
	// again are nested workflows of an earlier attempt that go on in this one, by their place.
	again    map[int64]*child
	progress *workflow.Progress // of a dag
	counts   workflow.Counts    // of a matrix
	waiting  int                // children that exist and have not begun
	begun    time.Time          // when the first began
	trials   trials
	// iterations of a matrix whose trials an operation suggests; else nil.
	iterations *iterations
	exit       *child

	best   *best
	stop   *workflow.Stop
	failed []int64 // did not succeed, in the order in which that was seen
	wrong  string

	written time.Time // when the status was last written
	// tooLarge: what the status would say besides does not fit into the workflow.
	tooLarge bool
}

// leaveOut leaves outputs and params out of the status from now on; false: it did before.
func (r *run) leaveOut() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.tooLarge
	r.tooLarge = true
	return !before
}

// child is one operation or nested workflow.
type child struct {
	name    string
	nested  bool
	attempt int32 // of the workflow
	phase   v1alpha1.Status
	message string
}

// best is the trial with the best metric so far.
type best struct {
	index int64
	value float64
	name  string
}

// waits says that a child has not begun.
func (c *child) waits() bool {
	switch c.phase {
	case "", v1alpha1.StatusCreated, v1alpha1.StatusCompiled, v1alpha1.StatusOnSchedule, v1alpha1.StatusQueued, v1alpha1.StatusResuming, v1alpha1.StatusUnschedulable:
		return true
	}
	return false
}

// seen is a child as the API has it.
type seen struct {
	child
	// judged: a stopping policy has stopped it, which is its result.
	judged bool
	// never: it was marked with an end and never begins.
	never   bool
	index   int64
	begun   time.Time
	params  v1alpha1.Values
	outputs v1alpha1.Values
}

// look reads a child; ok is false for what is none.
func look(o client.Object) (s seen, workflowUID types.UID, ok bool) {
	labels := o.GetLabels()
	index, err := indexOf(labels)
	attempt, err2 := strconv.ParseInt(labels[v1alpha1.WorkflowAttemptLabel], 10, 32)
	uid := types.UID(labels[v1alpha1.WorkflowUIDLabel])
	if err != nil || err2 != nil || uid == "" || index < 0 {
		return seen{}, "", false
	}
	s = seen{child: child{name: o.GetName(), attempt: int32(attempt)}, index: index, never: o.GetAnnotations()[v1alpha1.OutcomeAnnotation] != ""}
	var line []v1alpha1.TimelineEntry
	switch o := o.(type) {
	case *v1alpha1.Operation:
		s.params = o.Spec.Params
		s.phase, line, s.outputs = phaseOf(o.Status.Phase, o.Spec.Restarts > o.Status.Restarts && !s.never), o.Status.Timeline, o.Status.Outputs
	case *v1alpha1.Workflow:
		s.params = o.Spec.Params
		s.nested, s.phase, line, s.outputs = true, phaseOf(o.Status.Phase, o.Spec.Restarts > o.Status.Restarts && !s.never), o.Status.Timeline, o.Status.Outputs
		if o.Status.StartTime != nil {
			s.begun = o.Status.StartTime.Time
		}
	}
	if n := len(line); n > 0 {
		s.message = line[n-1].Message
		s.judged = s.phase == v1alpha1.StatusStopped && line[n-1].Reason == v1alpha1.ReasonStoppedByPolicy
	}
	for i := range line {
		switch line[i].Status {
		case v1alpha1.StatusScheduled, v1alpha1.StatusStarting, v1alpha1.StatusRunning:
			if s.begun.IsZero() {
				s.begun = line[i].Time.Time
			}
		}
	}
	return s, uid, true
}

// indexOf is the place of a child. Operations that suggest trials have places behind all others.
func indexOf(labels map[string]string) (int64, error) {
	if iteration, ok := labels[v1alpha1.IterationLabel]; ok {
		i, err := strconv.ParseInt(iteration, 10, 32)
		return plan.SuggestIndex + i, err
	}
	return strconv.ParseInt(labels[v1alpha1.IndexLabel], 10, 64)
}

// phaseOf is the phase of a child: one that was told to run again is not over, whatever its status still says.
func phaseOf(phase v1alpha1.Status, again bool) v1alpha1.Status {
	if again && phase.Final() {
		return v1alpha1.StatusResuming
	}
	return phase
}

// newRun takes up an attempt of a workflow at what the API has of its children. Whole: nothing of former attempts is kept.
func newRun(p *plan.Plan, attempt int32, whole bool, objects []client.Object) *run {
	r := &run{plan: p, attempt: attempt, children: map[int64]*child{}, again: map[int64]*child{}, iterations: newIterations(p)}
	var now, suggesting []seen
	former := map[int64]seen{}
	for _, o := range objects {
		s, _, ok := look(o)
		switch {
		case !ok || s.attempt > attempt:
		case s.index >= plan.SuggestIndex:
			suggesting = append(suggesting, s)
		case s.attempt == attempt:
			now = append(now, s)
		case s.index != plan.ExitIndex && former[s.index].attempt <= s.attempt:
			former[s.index] = s
		}
	}
	slices.SortFunc(now, func(a, b seen) int { return cmp.Compare(a.index, b.index) })
	current := map[int64]bool{}
	for _, s := range now {
		current[s.index] = true
	}
	r.takeOver(former, current, whole)
	r.remember(suggesting, whole)
	for _, s := range now {
		r.see(s)
	}
	return r
}

// takeOver keeps what former attempts did, but for what is to run again.
func (r *run) takeOver(former map[int64]seen, current map[int64]bool, whole bool) {
	if whole && r.iterations != nil {
		return // other trials may be suggested
	}
	order := slices.Sorted(maps.Keys(former))
	redo := map[int64]bool{} // and whether all inside it runs again
	if r.plan.Graph != nil {
		statuses := make([]workflow.Status, r.plan.Graph.Len())
		for i, s := range former {
			if i < int64(len(statuses)) {
				statuses[i] = workflow.StatusOf(s.phase)
			}
		}
		for _, again := range workflow.Rerun(r.plan.Graph, statuses) {
			redo[int64(again.Node)] = again.Whole
		}
	} else {
		for i, s := range former {
			if status := workflow.StatusOf(s.phase); status == workflow.Failed || status == workflow.Stopped && !s.judged {
				redo[i] = false
			}
		}
	}
	if r.plan.Graph != nil {
		r.progress = workflow.NewProgress(r.plan.Graph, nil)
	}
	r.trials.made(r, order)
	for _, i := range order {
		s := former[i]
		all, again := redo[i]
		switch {
		case current[i]:
		case !whole && !again:
			r.see(s)
		default:
			if s.nested && !all && !whole && !s.never {
				r.again[i] = &s.child
			}
			r.trials.again(r, i)
			r.trials.keep(r, s)
		}
	}
	r.stop, r.failed = nil, nil // what former attempts came to is no verdict on this one
	for _, i := range order {
		if c := r.children[i]; c != nil && workflow.StatusOf(c.phase) != workflow.Succeeded && workflow.StatusOf(c.phase).Done() {
			r.failed = append(r.failed, i)
		}
	}
}

// see takes a version of a child.
func (r *run) see(s seen) {
	if s.index == plan.ExitIndex {
		if s.attempt == r.attempt {
			r.exit = &s.child
		}
		return
	}
	if s.index >= plan.SuggestIndex {
		r.hear(s)
		return
	}
	before := r.children[s.index]
	if before != nil && (before.attempt > s.attempt || workflow.StatusOf(before.phase).Done() && before.attempt == s.attempt) {
		return // an old version; what is done is done
	}
	if total := r.plan.Total(); s.index >= search.MaxTrials || total >= 0 && s.index >= total {
		return // not one that this workflow makes
	}
	c := s.child
	r.put(s.index, before, &c)
	r.trials.observe(r, s)
	r.begin(s)
	status := workflow.StatusOf(c.phase)
	if !status.Done() {
		return
	}
	if status != workflow.Succeeded {
		r.failed = append(r.failed, s.index)
	}
	r.measure(s, status)
}

// begin notes when the first child of this attempt began.
func (r *run) begin(s seen) {
	if !s.begun.IsZero() && s.attempt == r.attempt && (r.begun.IsZero() || s.begun.Before(r.begun)) {
		r.begun = s.begun
	}
}

// put replaces what is known of a child; nil: nothing.
func (r *run) put(index int64, before, after *child) {
	count := func(c *child, n int) {
		if c == nil {
			return
		}
		if r.progress == nil {
			r.counts[workflow.StatusOf(c.phase)] += n
		}
		if c.waits() {
			r.waiting += n
		}
	}
	count(before, -1)
	count(after, 1)
	status := workflow.Pending
	if after == nil {
		delete(r.children, index)
	} else {
		r.children[index] = after
		status = workflow.StatusOf(after.phase)
	}
	if r.progress != nil {
		r.progress.Set(int(index), status)
	} else if after != nil {
		r.trials.made(r, []int64{index})
	} else {
		r.trials.again(r, index)
	}
}

// gone forgets a child that was deleted: it is made again, whatever it had come to.
func (r *run) gone(s seen) {
	if s.index == plan.ExitIndex {
		if r.exit != nil && r.exit.name == s.name {
			r.exit = nil
		}
		return
	}
	if again := r.again[s.index]; again != nil && again.name == s.name {
		delete(r.again, s.index) // it can't go on
	}
	c := r.childAt(s.index)
	switch {
	case c == nil || c.name != s.name:
	case s.index >= plan.SuggestIndex:
		r.iterations.forget(s.index - plan.SuggestIndex)
	default:
		r.put(s.index, c, nil)
	}
}

// childAt is the child of a place, or nil.
func (r *run) childAt(index int64) *child {
	if index < plan.SuggestIndex {
		return r.children[index]
	}
	if r.iterations == nil {
		return nil
	}
	return r.iterations.asked[index-plan.SuggestIndex]
}

// unmade forgets a child that could not be made now.
func (r *run) unmade(index int64) {
	c := r.childAt(index)
	switch {
	case c == nil || c.phase != "":
	case index >= plan.SuggestIndex:
		r.iterations.forget(index - plan.SuggestIndex)
	default:
		r.put(index, c, nil)
	}
}

// measure reads a child's metrics, and finds whether the rest need not run.
func (r *run) measure(s seen, status workflow.Status) {
	if m := r.plan.Metric; m != nil && status == workflow.Succeeded {
		if value, ok := number(s.outputs, m.Name); ok && (r.best == nil || workflow.Better(m.Optimization, value, r.best.value) || value == r.best.value && s.index < r.best.index) {
			r.best = &best{s.index, value, s.name}
		}
	}
	policies := r.plan.EarlyStopping
	if policies == nil || r.stop != nil {
		return
	}
	var measured []workflow.Measurement
	for _, p := range policies.Metrics {
		if value, ok := number(s.outputs, p.Metric); ok && status == workflow.Succeeded {
			measured = append(measured, workflow.Measurement{Child: s.name, Metric: p.Metric, Value: value})
		}
	}
	r.stop = workflow.StopEarly(policies, int(r.planned()), r.tally(), measured)
}

// number is an output that is a finite number.
func number(outputs v1alpha1.Values, name string) (float64, bool) {
	raw, ok := outputs[name]
	if !ok {
		return 0, false
	}
	value, err := params.Decode(raw.Raw)
	if err != nil {
		return 0, false
	}
	f, ok := params.As(value, params.Float)
	if !ok {
		return 0, false
	}
	x, ok := f.(float64)
	return x, ok && !math.IsNaN(x) && !math.IsInf(x, 0)
}

func (r *run) tally() workflow.Counts {
	if r.progress != nil {
		return r.progress.Counts()
	}
	return r.counts
}

// total is how many children there will be, or -1 where that is not known yet.
func (r *run) total() int64 {
	if it := r.iterations; it != nil && !it.search.More() {
		return it.search.Suggested()
	}
	return r.plan.Total()
}

// planned is how many children are planned so far, or -1.
func (r *run) planned() int64 {
	if r.iterations != nil {
		return r.iterations.search.Suggested()
	}
	return r.plan.Total()
}

// outcome is what the children have come to.
func (r *run) outcome() workflow.Status {
	if r.progress != nil {
		return r.progress.Counts().Outcome()
	}
	return workflow.MatrixOutcome(r.counts, r.plan.EarlyStopping, r.plan.Metric != nil, r.best != nil)
}

// more says whether children are still to be made.
func (r *run) more() bool {
	if r.progress != nil {
		return r.progress.Counts()[workflow.Pending] > 0
	}
	return r.trials.more(r, r.counts[workflow.Active] == 0)
}
