package dashboard

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// stay is one time that something was in a queue: it waited, then had room. A time that is zero has not come yet.
type stay struct {
	queue                  string
	queued, started, ended time.Time
}

// staysOf are the stays of an operation, one for each attempt, as its timeline tells.
func staysOf(op *v1alpha1.Operation) []stay {
	var out []stay
	now := stay{queue: op.Status.Queue}
	for i := range op.Status.Timeline {
		switch e := &op.Status.Timeline[i]; e.Status {
		case v1alpha1.StatusQueued, v1alpha1.StatusUnschedulable:
			if now.queued.IsZero() {
				now.queued = e.Time.Time
			}
		case v1alpha1.StatusScheduled, v1alpha1.StatusStarting, v1alpha1.StatusRunning, v1alpha1.StatusWarning:
			if now.started.IsZero() {
				now.started = e.Time.Time
			}
		case v1alpha1.StatusRetrying, v1alpha1.StatusResuming, v1alpha1.StatusSucceeded, v1alpha1.StatusFailed, v1alpha1.StatusStopped:
			if !now.queued.IsZero() {
				now.ended = e.Time.Time
				out = append(out, now)
			}
			now = stay{queue: op.Status.Queue}
		}
	}
	if !now.queued.IsZero() {
		out = append(out, now)
	}
	return out
}

// staysOfPods are the stays of what is no operation: of pods of one owner together, from when the first came until the last ended.
func staysOfPods(pods []*corev1.Pod) []stay {
	byOwner := map[types.UID]*stay{}
	open := map[types.UID]bool{}
	var order []types.UID
	for _, pod := range pods {
		queue := queueOf(pod)
		if queue == "" || pod.Labels[v1alpha1.OperationLabel] != "" {
			continue
		}
		owner := pod.UID
		if c := metav1.GetControllerOf(pod); c != nil {
			owner = c.UID
		}
		s := byOwner[owner]
		if s == nil {
			s = &stay{queue: queue, queued: pod.CreationTimestamp.Time}
			byOwner[owner] = s
			order = append(order, owner)
		}
		if pod.CreationTimestamp.Time.Before(s.queued) {
			s.queued = pod.CreationTimestamp.Time
		}
		if at := scheduledAt(pod); !at.IsZero() && (s.started.IsZero() || at.Before(s.started)) {
			s.started = at
		}
		if at := endedAt(pod); at.IsZero() {
			open[owner] = true
		} else if at.After(s.ended) {
			s.ended = at
		}
	}
	out := make([]stay, 0, len(order))
	for _, owner := range order {
		s := *byOwner[owner]
		if open[owner] {
			s.ended = time.Time{}
		}
		out = append(out, s)
	}
	return out
}

// queueOf is the queue that a pod or Job names, without its agent.
func queueOf(o metav1.Object) string {
	name := o.GetLabels()[v1alpha1.QueueLabel]
	if name == "" {
		name = o.GetAnnotations()[v1alpha1.QueueLabel]
	}
	return name[strings.LastIndexAny(name, "./")+1:]
}

func scheduledAt(pod *corev1.Pod) time.Time {
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.PodScheduled && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Time
		}
	}
	return time.Time{}
}

func endedAt(pod *corev1.Pod) time.Time {
	if pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
		return time.Time{}
	}
	end := scheduledAt(pod)
	if end.IsZero() {
		end = pod.CreationTimestamp.Time
	}
	for i := range pod.Status.ContainerStatuses {
		if t := pod.Status.ContainerStatuses[i].State.Terminated; t != nil && t.FinishedAt.Time.After(end) {
			end = t.FinishedAt.Time
		}
	}
	return end
}

// waits is how long what started lately had waited.
type waits struct {
	Count int `json:"count"`
	// P50 and P95 are in seconds.
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
}

const (
	// lately is how far back waits are counted.
	lately = 24 * time.Hour
	// lastStarts is how many starts are counted at most, the newest.
	lastStarts = 1000
)

// waitsOf are the waits of one queue; nil if nothing started lately.
func waitsOf(stays []stay, queue string, now time.Time) *waits {
	var starts []stay
	for _, s := range stays {
		if s.queue == queue && !s.started.IsZero() && now.Sub(s.started) <= lately {
			starts = append(starts, s)
		}
	}
	if len(starts) == 0 {
		return nil
	}
	slices.SortFunc(starts, func(a, b stay) int { return b.started.Compare(a.started) })
	starts = starts[:min(len(starts), lastStarts)]
	seconds := make([]float64, len(starts))
	for i, s := range starts {
		seconds[i] = max(0, s.started.Sub(s.queued).Seconds())
	}
	slices.Sort(seconds)
	return &waits{Count: len(seconds), P50: quantile(seconds, 0.5), P95: quantile(seconds, 0.95)}
}

// quantile of sorted numbers: the smallest that as large a part of them does not exceed.
func quantile(sorted []float64, q float64) float64 {
	i := int(float64(len(sorted))*q+0.999999) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}
