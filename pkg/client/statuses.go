package client

import (
	"context"
	"iter"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/timeline"
)

// Timeline is every status that an operation or workflow has had.
type Timeline struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Phase is the last status; empty: the controller has not seen it yet.
	Phase v1alpha1.Status `json:"phase,omitempty"`
	// Over: nothing follows.
	Over bool `json:"over"`
	// Queue and Attempt of an operation, Progress ("3/40") of a workflow.
	Queue    string `json:"queue,omitempty"`
	Attempt  int32  `json:"attempt,omitempty"`
	Progress string `json:"progress,omitempty"`
	// Queued and Running are how long it has waited in its queue and run so far. A workflow waits in none.
	Queued  Seconds `json:"queued,omitempty"`
	Running Seconds `json:"running,omitempty"`
	Entries []Entry `json:"entries"`
	// Dropped entries stood before the entry at Gap and are no longer kept.
	Dropped int32 `json:"dropped,omitempty"`
	Gap     int   `json:"gap,omitempty"`
}

// Entry is a status.
type Entry struct {
	v1alpha1.TimelineEntry `json:",inline"`
	// For is how long it was the last one; of the last one, until now. The end lasts for ever: 0.
	For Seconds `json:"for,omitempty"`
}

// Seconds is a duration, which JSON writes as a number of seconds.
type Seconds time.Duration

// MarshalJSON writes it to the millisecond.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, time.Duration(s).Round(time.Millisecond).Seconds(), 'f', -1, 64), nil
}

// TimelineOf an operation or workflow as it is at hand; of a Job with its pods.
func TimelineOf(o client.Object, now time.Time, pods ...*corev1.Pod) *Timeline {
	p := ProgressOf(o, pods...)
	t := &Timeline{Kind: KindOf(o), Namespace: o.GetNamespace(), Name: o.GetName(), Phase: p.Phase, Over: Over(o), Dropped: p.Dropped}
	queued, running := p.Spent(now)
	t.Running = Seconds(running)
	switch o := o.(type) {
	case *v1alpha1.Operation:
		t.Queue, t.Attempt, t.Queued = o.Status.Queue, o.Status.Attempt, Seconds(queued)
	case *v1alpha1.Workflow:
		t.Progress = o.Status.Progress
	}
	if p.Dropped > 0 {
		t.Gap = timeline.KeptFirst
	}
	for i, e := range p.Timeline {
		end := now
		switch {
		case i < len(p.Timeline)-1:
			end = p.Timeline[i+1].Time.Time
		case e.Status.Final():
			end = e.Time.Time
		}
		t.Entries = append(t.Entries, Entry{e, Seconds(max(0, end.Sub(e.Time.Time)))})
	}
	return t
}

// Statuses reads an operation or workflow anew, and gives its timeline.
func (c *Client) Statuses(ctx context.Context, o client.Object) (*Timeline, error) {
	if err := c.Objects.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
		return nil, err
	}
	return TimelineOf(o, time.Now(), c.JobPods(ctx, o)...), nil
}

// Follow gives the timeline of an operation or workflow as it is, and again with each change, until it is over. The last is
// followed by an error where it can't be watched any longer or is deleted before.
func (c *Client) Follow(ctx context.Context, o client.Object) iter.Seq2[*Timeline, error] {
	return func(yield func(*Timeline, error) bool) {
		for seen, err := range c.Versions(ctx, o) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(TimelineOf(seen, time.Now(), c.JobPods(ctx, seen)...), nil) {
				return
			}
		}
	}
}
