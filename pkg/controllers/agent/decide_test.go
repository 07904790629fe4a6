package agent

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

const here = "cluster-1"

// told is a status of these phases.
func told(reason string, phases ...v1alpha1.Status) *v1alpha1.OperationStatus {
	s := &v1alpha1.OperationStatus{Attempt: 1}
	for _, phase := range phases {
		s.Phase = phase
		s.Timeline = append(s.Timeline, v1alpha1.TimelineEntry{Status: phase, Reason: reason, Attempt: 1})
	}
	return s
}

// TestDecide is the table of docs/agents.md.
func TestDecide(t *testing.T) {
	waits, runs := told("Test", v1alpha1.StatusQueued), told("Test", v1alpha1.StatusQueued, v1alpha1.StatusScheduled, v1alpha1.StatusRunning)
	ends, givenBack := told("Test", v1alpha1.StatusRunning, v1alpha1.StatusSucceeded), told("Withdrawn", v1alpha1.StatusQueued, v1alpha1.StatusStopped)
	claimed := func(a *v1alpha1.Assignment) {
		a.Finalizers = append(a.Finalizers, v1alpha1.AgentFinalizer)
		a.Annotations = map[string]string{v1alpha1.ClusterAnnotation: here}
	}
	foreign := func(a *v1alpha1.Assignment) {
		claimed(a)
		a.Annotations[v1alpha1.ClusterAnnotation] = "cluster-2"
	}
	deleted := func(a *v1alpha1.Assignment) { a.DeletionTimestamp = ptr.To(metav1.Now()) }
	returned := func(a *v1alpha1.Assignment) { a.Status.Returned = true }
	lost := func(a *v1alpha1.Assignment) { a.Status.Lost = true }
	hub := func(s *v1alpha1.OperationStatus) func(*v1alpha1.Assignment) {
		return func(a *v1alpha1.Assignment) { a.Status.Operation = s }
	}
	type edits []func(*v1alpha1.Assignment)
	type want struct {
		action         action
		may            bool
		returned, lost bool
		phase          v1alpha1.Status
	}
	for name, c := range map[string]struct {
		of       edits // nil: the hub has none
		copy     *v1alpha1.OperationStatus
		marked   bool
		stopped  bool
		obstacle string
		want     want
	}{
		"gone, nothing here":                      {want: want{}},
		"gone, a copy is here":                    {copy: runs, want: want{action: deleteCopies}},
		"new":                                     {of: edits{}, want: want{action: claim}},
		"new, it can't be made":                   {of: edits{}, obstacle: "no namespace", want: want{}},
		"new, withdrawn":                          {of: edits{withdrawn}, want: want{}},
		"new, deleted":                            {of: edits{deleted}, want: want{}},
		"the hub's, a copy is here":               {of: edits{}, copy: waits, want: want{action: deleteCopies}},
		"claimed":                                 {of: edits{claimed}, want: want{action: makeCopy, may: true}},
		"claimed, it can't be made":               {of: edits{claimed}, obstacle: "no namespace", want: want{}},
		"claimed and withdrawn, no copy":          {of: edits{claimed, withdrawn}, want: want{returned: true}},
		"claimed and deleted, no copy":            {of: edits{claimed, deleted}, want: want{action: letGo}},
		"of another cluster":                      {of: edits{foreign, hub(runs)}, want: want{phase: v1alpha1.StatusRunning}},
		"of another cluster, a copy is here":      {of: edits{foreign}, copy: waits, want: want{action: deleteCopies}},
		"waits":                                   {of: edits{claimed}, copy: waits, want: want{may: true, phase: v1alpha1.StatusQueued}},
		"waits, withdrawn":                        {of: edits{claimed, withdrawn}, copy: waits, want: want{action: withdraw, phase: v1alpha1.StatusQueued}},
		"waits, marked":                           {of: edits{claimed, withdrawn}, copy: waits, marked: true, want: want{phase: v1alpha1.StatusQueued}},
		"waits, deleted":                          {of: edits{claimed, deleted}, copy: waits, want: want{action: stop, phase: v1alpha1.StatusQueued}},
		"stops":                                   {of: edits{claimed, deleted}, copy: waits, stopped: true, want: want{phase: v1alpha1.StatusQueued}},
		"runs":                                    {of: edits{claimed}, copy: runs, want: want{may: true, phase: v1alpha1.StatusRunning}},
		"ended":                                   {of: edits{claimed}, copy: ends, want: want{phase: v1alpha1.StatusSucceeded}},
		"ended, the hub knows":                    {of: edits{claimed, hub(ends)}, copy: ends, want: want{phase: v1alpha1.StatusSucceeded}},
		"ended, recorded":                         {of: edits{claimed, hub(ends), deleted}, copy: ends, want: want{action: deleteCopies, phase: v1alpha1.StatusSucceeded}},
		"ended, deleted before it was told":       {of: edits{claimed, hub(runs), deleted}, copy: ends, want: want{action: deleteCopies, phase: v1alpha1.StatusSucceeded}},
		"ended and recorded, the copy is gone":    {of: edits{claimed, hub(ends), deleted}, want: want{action: letGo, phase: v1alpha1.StatusSucceeded}},
		"given back":                              {of: edits{claimed, withdrawn}, copy: givenBack, marked: true, want: want{action: deleteCopies, phase: v1alpha1.StatusStopped}},
		"given back, the copy is gone":            {of: edits{claimed, withdrawn, hub(givenBack)}, want: want{returned: true, phase: v1alpha1.StatusStopped}},
		"returned, the hub has not heard":         {of: edits{claimed, withdrawn, hub(givenBack), returned}, want: want{returned: true, phase: v1alpha1.StatusStopped}},
		"returned, deleted":                       {of: edits{claimed, withdrawn, returned, deleted}, want: want{action: letGo, returned: true}},
		"returned, an old copy is here":           {of: edits{claimed, withdrawn, returned}, copy: waits, want: want{action: deleteCopies, returned: true}},
		"ran, the copy is gone":                   {of: edits{claimed, hub(runs)}, want: want{lost: true, phase: v1alpha1.StatusRunning}},
		"waited, the copy is gone":                {of: edits{claimed, hub(waits)}, want: want{lost: true, phase: v1alpha1.StatusQueued}},
		"lost, an old copy is here":               {of: edits{claimed, hub(runs), lost}, copy: runs, want: want{action: deleteCopies, lost: true, phase: v1alpha1.StatusRunning}},
		"ran and deleted, the copy is gone":       {of: edits{claimed, hub(runs), deleted}, want: want{action: letGo, lost: true, phase: v1alpha1.StatusRunning}},
		"ran, an older copy is here":              {of: edits{claimed, hub(runs)}, copy: waits, want: want{action: deleteCopies, phase: v1alpha1.StatusRunning}},
		"ran and deleted, an older copy is here":  {of: edits{claimed, hub(runs), deleted}, copy: waits, want: want{action: deleteCopies, phase: v1alpha1.StatusRunning}},
		"ended at the hub, an older copy is here": {of: edits{claimed, hub(ends)}, copy: runs, want: want{action: deleteCopies, phase: v1alpha1.StatusSucceeded}},
	} {
		t.Run(name, func(t *testing.T) {
			s := situation{Cluster: here, Obstacle: c.obstacle}
			if c.of != nil {
				s.Assignment = assignment("a", c.of...)
				s.Assignment.UID = "u-2"
			}
			if c.copy != nil {
				s.Copy = copyOf(assignment("a"))
				s.Copy.Status = *c.copy.DeepCopy()
				if c.marked {
					s.Copy.Annotations[v1alpha1.WithdrawnAnnotation] = "true"
				}
				if c.stopped {
					s.Copy.Spec.DesiredState = v1alpha1.Stopped
				}
			}
			d := decide(s)
			got := want{action: d.Action, may: d.May, returned: d.Status.Returned, lost: d.Status.Lost}
			if d.Status.Operation != nil {
				got.phase = d.Status.Operation.Phase
			}
			assert.Equal(t, c.want, got)
			if c.obstacle != "" {
				assert.Equal(t, c.obstacle, d.Status.Message)
			}
		})
	}
}

// Of two clusters one serves; a replica takes over from another of its own cluster at once; nobody from the hub.
func TestLease(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	me := identity{cluster: here, replica: "b"}
	for name, c := range map[string]struct {
		holder string
		age    time.Duration
		fenced bool
		may    bool
	}{
		"nobody's":                       {may: true},
		"mine":                           {holder: here + "_b", may: true},
		"another replica's":              {holder: here + "_a", may: true},
		"another cluster's":              {holder: "cluster-2_a", age: 39 * time.Second},
		"another cluster's, not renewed": {holder: "cluster-2_a", age: 40 * time.Second, may: true},
		"fenced":                         {holder: here + "_b", age: time.Hour, fenced: true},
		"fenced, nobody's":               {age: time.Hour, fenced: true},
	} {
		t.Run(name, func(t *testing.T) {
			lease := &coordinationv1.Lease{}
			lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds = ptr.To(c.holder), ptr.To[int32](40)
			if c.fenced {
				lease.Annotations = map[string]string{v1alpha1.FencedAnnotation: "true"}
			}
			assert.Equal(t, c.may, mayTake(lease, me, now.Add(-c.age), now))
		})
	}
}

// What nothing was heard of is left as it is for a moment, and begins nothing.
func TestConfirmed(t *testing.T) {
	c := newConfirmed()
	a := assignment("a")
	a.UID = "u-2"
	op := copyOf(a)
	assert.False(t, c.May(op, false))
	assert.True(t, c.May(op, true), "for a moment")
	c.settle(t.Context(), nil)
	assert.False(t, c.May(op, true))
	c.say(t.Context(), a.Name, verdictOf(a, true))
	assert.True(t, c.May(op, false))
	other := copyOf(a)
	other.Namespace = "elsewhere"
	assert.False(t, c.May(other, true), "somebody wrote the same annotations")
	old := copyOf(a)
	old.Annotations[v1alpha1.AssignmentUIDAnnotation] = "u-1"
	assert.False(t, c.May(old, true), "of an assignment before")
	c.say(t.Context(), a.Name, verdictOf(a, false))
	assert.False(t, c.May(op, true))
	c.say(t.Context(), a.Name, verdictOf(a, true))
	c.revoke(t.Context(), nil)
	assert.False(t, c.May(op, true))
}
