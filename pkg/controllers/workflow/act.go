package workflow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/controllers/refusal"
	"github.com/queueyard/queueyard/pkg/expression"
	"github.com/queueyard/queueyard/pkg/search"
	"github.com/queueyard/queueyard/pkg/workflow"
	"github.com/queueyard/queueyard/pkg/workflow/plan"
)

const (
	// ahead is how many children of a matrix may exist that have not begun; of nested ones fewer, for there may
	// be many of these: as many as follow while the controller makes the next.
	ahead, aheadNested, aheadLearning = 64, 16, 8
	// parallel is how many requests for one workflow are under way at a time. The first children are made one
	// by one, so that they start in their order; behind those that wait the line keeps it.
	parallel, oneByOne = 8, 16
	// batch bounds what is made at a time: others want their turn.
	batch = 256
)

// work is a child to be made.
type work struct {
	index int64
	trial *search.Trial                         // of a matrix
	asks  *search.Request                       // of what suggests trials
	ops   map[string]expression.OperationValues // of the steps that it depends on
	never *plan.Never
	again *child // the nested workflow that goes on
}

// expand makes the children that may begin. It says whether there are more of them.
func (s *sight) expand(ctx context.Context) (again bool, err error) {
	todo, err := s.next(ctx)
	if err != nil {
		return false, err
	}
	errs := make([]error, len(todo))
	first := min(oneByOne, len(todo))
	for i := range first {
		errs[i] = s.try(ctx, &todo[i])
	}
	workqueue.ParallelizeUntil(ctx, parallel, len(todo)-first, func(i int) { errs[first+i] = s.try(ctx, &todo[first+i]) })
	return len(todo) >= batch || s.isWrong(), errors.Join(errs...)
}

func (s *sight) isWrong() bool {
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	return s.run.wrong != ""
}

// try makes a child, or forgets it where that is not possible now, so that it is tried again.
func (s *sight) try(ctx context.Context, w *work) error {
	err := s.make(ctx, w)
	if err != nil {
		s.run.mu.Lock()
		defer s.run.mu.Unlock()
		if w.again != nil && apierrors.IsNotFound(err) {
			delete(s.run.again, w.index) // it is made anew
		}
		s.run.unmade(w.index)
	}
	return err
}

// next is which children to make now. They count as made from here on.
func (s *sight) next(ctx context.Context) ([]work, error) {
	r := s.run
	r.mu.Lock()
	defer r.mu.Unlock()
	var todo []work
	if r.progress != nil {
		var failed error
		decisions := r.progress.Advance(func(node int) (bool, error) {
			ops, err := s.results(ctx, r.plan.Uses(node))
			if err != nil {
				failed = err
				return false, err
			}
			return r.plan.When(ctx, node, ops)
		})
		if failed != nil {
			s.runs.forget(s.workflow.UID) // what was decided without reading is worth nothing
			return nil, failed
		}
		for _, d := range decisions {
			w := work{index: int64(d.Node), again: r.again[int64(d.Node)]}
			if d.Status != workflow.Active {
				w.never = &plan.Never{Status: v1alpha1.Status(d.Status.String()), Message: d.Reason}
			} else if w.again == nil {
				ops, err := s.results(ctx, r.plan.Uses(d.Node))
				if err != nil {
					s.runs.forget(s.workflow.UID)
					return nil, err
				}
				w.ops = ops
			}
			todo = append(todo, w)
		}
	} else {
		limit := ahead
		if s.workflow.Labels[v1alpha1.WorkflowUIDLabel] != "" {
			limit = aheadNested
		}
		for _, t := range r.trials.take(r, s.room(limit)) {
			todo = append(todo, work{index: t.Index, trial: &t, again: r.again[t.Index]})
		}
		if request := r.due(); request != nil && len(todo) == 0 {
			todo = append(todo, work{index: plan.SuggestIndex + request.Iteration, asks: request})
		}
	}
	for i := range todo {
		w := &todo[i]
		c := &child{attempt: r.attempt, name: r.plan.ChildName(w.index, r.attempt)}
		if w.again != nil {
			c.name, c.nested = w.again.name, true
		}
		if w.asks != nil {
			r.iterations.asked[w.asks.Iteration] = c
			continue
		}
		r.put(w.index, r.children[w.index], c)
	}
	return todo, nil
}

// room is how many trials may be made now. What a search that learns suggests early it suggests without what comes of
// those before: it is asked for what may begin, and a few.
func (s *sight) room(limit int) int {
	r := s.run
	room := min(batch, limit-r.waiting)
	if !r.plan.Learns() {
		return room
	}
	room = min(room, aheadLearning-r.waiting)
	if c := s.workflow.Spec.Concurrency; c != nil && *c >= 0 {
		room = min(room, int(*c)-r.counts[workflow.Active])
	}
	return max(0, room)
}

// make makes a child. Its name is its place and the attempt alone, so that doing it twice makes one.
func (s *sight) make(ctx context.Context, w *work) error {
	if w.again != nil && w.never == nil {
		return s.goOn(ctx, w.again)
	}
	r := s.run
	c := plan.Child{Index: w.index, Attempt: r.attempt, Queued: s.placeOf(w)}
	if w.never != nil {
		return s.mark(ctx, c, *w.never)
	}
	var object client.Object
	var err error
	switch {
	case w.asks != nil:
		object, err = r.plan.Suggest(ctx, c, *w.asks, s.component(ctx))
	case w.trial != nil:
		var before *plan.Previous
		if before, err = s.previous(ctx, w.trial); err != nil {
			return err
		}
		object, err = r.plan.Trial(c, *w.trial, before, s.component(ctx))
	default:
		object, err = r.plan.Step(ctx, c, w.ops, s.component(ctx))
	}
	var unread errUnread
	switch {
	case errors.As(err, &unread):
		return err
	case err != nil:
		return s.mark(ctx, c, plan.Never{Status: v1alpha1.StatusFailed, Message: err.Error()})
	}
	err = s.client.Create(ctx, object)
	if refusal.ForGood(err) {
		return s.mark(ctx, c, plan.Never{Status: v1alpha1.StatusFailed, Message: fmt.Sprintf("the API server does not accept it: %v", err)})
	}
	return created(object, err)
}

// previous is the trial that one goes on from, or nil.
func (s *sight) previous(ctx context.Context, t *search.Trial) (*plan.Previous, error) {
	if t.Continues == nil {
		return nil, nil
	}
	s.run.mu.Lock()
	c := s.run.children[*t.Continues]
	s.run.mu.Unlock()
	if c == nil {
		return nil, nil
	}
	object, err := s.read(ctx, c)
	if err != nil {
		return nil, err
	}
	outputs, _ := facts(object)["outputs"].(map[string]any)
	return &plan.Previous{Name: c.name, Key: cmp.Or(object.GetAnnotations()[v1alpha1.TrialKeyAnnotation], c.name), Outputs: outputs}, nil
}

// placeOf is a child's place in the line. Trials have that of their matrix, in their order, and what suggests them has it, too; steps that of the moment
// at which they became ready, in the order of their declaration.
func (s *sight) placeOf(w *work) time.Time {
	at := s.clock.Now()
	if w.asks != nil {
		return queuedAt(s.workflow)
	}
	if w.trial != nil {
		at = queuedAt(s.workflow)
	}
	return at.Add(time.Duration(w.index) * time.Microsecond)
}

// mark makes the child that stands for one that does not run.
func (s *sight) mark(ctx context.Context, c plan.Child, never plan.Never) error {
	object, err := s.run.plan.Marked(c, never)
	if err != nil {
		return err
	}
	err = s.client.Create(ctx, object)
	if refusal.ForGood(err) {
		s.run.mu.Lock()
		defer s.run.mu.Unlock()
		s.run.wrong = fmt.Sprintf("%s: %s; and it cannot be written down: %v", object.GetName(), never.Message, err)
		return nil
	}
	return created(object, err)
}

// errUnread says that something could not be read.
type errUnread struct{ error }

// component finds a component. One that the cache does not have may have been created a moment ago.
func (s *sight) component(ctx context.Context) plan.ComponentOf {
	return func(name string) (*v1alpha1.Component, error) {
		component := &v1alpha1.Component{}
		key := keyOf(s.workflow.Namespace, name)
		err := s.client.Get(ctx, key, component)
		if apierrors.IsNotFound(err) {
			err = s.live.Get(ctx, key, component)
		}
		switch {
		case apierrors.IsNotFound(err):
			return nil, fmt.Errorf("component %q does not exist in namespace %s: create it, then raise spec.restarts", name, s.workflow.Namespace)
		case err != nil:
			return nil, errUnread{err}
		}
		return component, nil
	}
}

// goOn lets a nested workflow of an earlier attempt repeat what of it failed.
func (s *sight) goOn(ctx context.Context, c *child) error {
	w := &v1alpha1.Workflow{}
	if err := s.live.Get(ctx, keyOf(s.workflow.Namespace, c.name), w); err != nil {
		return err
	}
	attempt := fmt.Sprint(s.run.attempt)
	if w.Labels[v1alpha1.WorkflowAttemptLabel] == attempt {
		return nil
	}
	before := w.DeepCopy()
	w.Labels[v1alpha1.WorkflowAttemptLabel] = attempt
	w.Spec.DesiredState = v1alpha1.Run
	w.Spec.Restarts++
	return s.client.Patch(ctx, w, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// stopChildren tells those that are not done to stop.
func (s *sight) stopChildren(ctx context.Context) error {
	s.run.mu.Lock()
	var active []*child
	for _, c := range s.run.children {
		if workflow.StatusOf(c.phase) == workflow.Active {
			active = append(active, c)
		}
	}
	if it := s.run.iterations; it != nil {
		active = append(active, it.active()...)
	}
	s.run.mu.Unlock()
	because := stopCause{}
	if o := s.workflow.Status.Outcome; o != nil && o.Reason == v1alpha1.ReasonStoppedEarly {
		because = stopCause{o.Reason, o.Message}
	}
	var mu sync.Mutex
	var errs []error
	workqueue.ParallelizeUntil(ctx, parallel, len(active), func(i int) {
		if err := s.stop(ctx, active[i], because); err != nil {
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		}
	})
	return errors.Join(errs...)
}

// stopCause is which rule stops a child; empty: somebody has stopped the workflow, or its time is over.
type stopCause struct{ reason, message string }

// write notes it on a child.
func (c stopCause) write(o client.Object) {
	if c.reason != "" {
		annotate(o, map[string]string{v1alpha1.StopReasonAnnotation: c.reason, v1alpha1.StopMessageAnnotation: c.message})
	}
}

func annotate(o client.Object, more map[string]string) {
	annotations := maps.Clone(o.GetAnnotations())
	if annotations == nil {
		annotations = map[string]string{}
	}
	maps.Copy(annotations, more)
	o.SetAnnotations(annotations)
}

func (s *sight) stop(ctx context.Context, c *child, because stopCause) error {
	object, err := s.read(ctx, c)
	if apierrors.IsNotFound(err) {
		// It was made a moment ago, or is gone; its event comes either way.
		return nil
	}
	if err != nil {
		return err
	}
	before := object.DeepCopyObject().(client.Object)
	switch o := object.(type) {
	case *v1alpha1.Operation:
		if o.Spec.DesiredState == v1alpha1.Stopped {
			return nil
		}
		o.Spec.DesiredState = v1alpha1.Stopped
	case *v1alpha1.Workflow:
		if o.Spec.DesiredState == v1alpha1.Stopped {
			return nil
		}
		o.Spec.DesiredState = v1alpha1.Stopped
	}
	because.write(object)
	return client.IgnoreNotFound(s.client.Patch(ctx, object, client.MergeFrom(before)))
}

// makeExit makes the operation that runs at the end. It says whether it is over already.
func (s *sight) makeExit(ctx context.Context) (over bool, err error) {
	c := plan.Child{Index: plan.ExitIndex, Attempt: s.run.attempt, Queued: s.clock.Now()}
	object, err := s.run.plan.Exit(ctx, c, *s.workflow.Status.Outcome, s.component(ctx))
	var unread errUnread
	if errors.As(err, &unread) {
		return false, err
	}
	if err == nil {
		if err = s.client.Create(ctx, object); err != nil && !refusal.ForGood(err) && !apierrors.IsAlreadyExists(err) {
			return false, created(object, err)
		}
	}
	if err != nil && !apierrors.IsAlreadyExists(err) {
		s.seeExit(child{phase: v1alpha1.StatusFailed, message: err.Error()})
		return true, nil
	}
	s.seeExit(child{name: s.run.plan.ChildName(plan.ExitIndex, s.run.attempt), attempt: s.run.attempt})
	return false, nil
}

func (s *sight) seeExit(c child) {
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	if s.run.exit == nil {
		s.run.exit = &c
	}
}
