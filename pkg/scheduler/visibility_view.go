package scheduler

import (
	"fmt"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	api "github.com/queueyard/queueyard/pkg/apis/visibility/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// view is what is to be said of one pod, read in one hold of the lock.
type view struct {
	known
	state           api.State
	reason, message string
	why             ledger.Explanation
	blocking        *ledger.Check
	holders         []holder
	ahead           []ahead
	line            bool // ahead is all that is ahead
	runtime         time.Duration
	turnover        turnover
	now             time.Time
}

// holder is an operation that holds some of the blocking limit.
type holder struct {
	known
	queue  string
	amount int64
	pods   int
	ends   time.Time // zero: not known
}

// ahead is what will take some of it before.
type ahead struct {
	amount  int64
	runtime time.Duration // 0: not known
}

// maxAhead bounds the pods ahead of one whose start is estimated by what they declare.
const maxAhead = 1000

// view reads what is to be said of a pod.
func (r *Room) view(uid types.UID) (*view, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entries[uid]
	if e == nil {
		return nil, false
	}
	v := &view{known: known{e.pod, e.gang}, now: r.clock.Now(), runtime: declaredRuntime(e.pod)}
	v.why, _ = r.ledger.Explain(string(uid))
	v.reason, v.message = r.verdict(e)
	switch v.why.State {
	case ledger.Waiting:
		v.state = api.Waiting
	case ledger.Suspended:
		v.state = api.BackingOff
		v.why.Facts = nil // the message says it better
	case ledger.Admitted:
		v.state = api.Admitted
	case ledger.Running:
		v.state = api.Running
	default:
		v.state = api.Refused
		if e.refusal == nil {
			v.state, v.reason, v.message = api.Held, "Held", heldBack(e.pod)
		}
		return v, true
	}
	if v.reason == "" {
		v.reason, v.message = string(v.why.Reason), v.why.Message()
	}
	if v.why.State != ledger.Waiting {
		return v, true
	}
	if t := r.turnovers[v.why.Queue]; t != nil {
		v.turnover = *t
	}
	// What stands in its way beside limits ends when somebody acts, not when something ends.
	if v.blocking = v.why.Blocking(); v.blocking == nil || v.why.Reason == ledger.NeverFits {
		v.blocking = nil
		return v, true
	}
	for _, h := range r.ledger.Holders(*v.blocking) {
		if k := r.known(h.Pods[0]); k.pod != nil {
			held := holder{known: k, queue: r.entries[k.pod.UID].assignment.Queue, amount: h.Amount, pods: len(h.Pods)}
			if !h.Grows {
				held.ends = r.endsBy(h.Pods)
			}
			v.holders = append(v.holders, held)
		}
	}
	var asks []ledger.Ask
	if asks, v.line = r.ledger.Ahead(string(uid), *v.blocking, maxAhead); v.line {
		for _, ask := range asks {
			v.ahead = append(v.ahead, ahead{ask.Amount, r.longestRuntime(ask.Pods)})
		}
	}
	return v, true
}

// heldBack says why a pod is not in its queue's line though nothing refuses it.
func heldBack(pod *v1.Pod) string {
	switch {
	case pod.DeletionTimestamp != nil:
		return "the pod is being deleted"
	case len(pod.Spec.SchedulingGates) > 0:
		return fmt.Sprintf("the pod has scheduling gate %s; it enters its queue when that is taken away", pod.Spec.SchedulingGates[0].Name)
	}
	return "the pod's namespace has not been seen yet"
}

// endsBy is when the last of these pods ends at the latest; zero if one does not say.
func (r *Room) endsBy(uids []string) time.Time {
	var last time.Time
	for _, uid := range uids {
		k := r.known(uid)
		if k.pod == nil {
			return time.Time{}
		}
		runtime, started := declaredRuntime(k.pod), startOf(k.pod)
		if runtime == 0 || started.IsZero() {
			return time.Time{}
		}
		if end := started.Add(runtime); end.After(last) {
			last = end
		}
	}
	return last
}

// longestRuntime is the longest that one of these pods may run; 0 if one does not say.
func (r *Room) longestRuntime(uids []string) time.Duration {
	var longest time.Duration
	for _, uid := range uids {
		k := r.known(uid)
		if k.pod == nil {
			continue
		}
		runtime := declaredRuntime(k.pod)
		if runtime == 0 {
			return 0
		}
		longest = max(longest, runtime)
	}
	return longest
}

// startOf is when a pod began to run, by its node, or else when it was bound; zero if it was not.
func startOf(pod *v1.Pod) time.Time {
	if pod.Status.StartTime != nil {
		return pod.Status.StartTime.Time
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == v1.PodScheduled && c.Status == v1.ConditionTrue {
			return c.LastTransitionTime.Time
		}
	}
	return time.Time{}
}

// estimate is when the pod will probably start, nil where nothing tells: at the pace of the queue, but
// not later than what everything declares.
func (v *view) estimate() *api.EstimatedStart {
	if v.state != api.Waiting || v.why.Position == 0 || !v.ends() {
		return nil
	}
	declared := v.declaredStart()
	observed := v.turnover.start(v.why.Position, v.now)
	switch {
	case !declared.IsZero() && (observed.IsZero() || !observed.Before(declared)):
		return &api.EstimatedStart{Time: metav1.Time{Time: declared}, Basis: api.DeclaredRuntimes, Message: fmt.Sprintf(
			"at the latest, if those that hold %s and the %d ahead run as long as they declare", limitName(v.blocking), len(v.ahead))}
	case !observed.IsZero():
		return &api.EstimatedStart{Time: metav1.Time{Time: observed}, Basis: api.ObservedTurnover, Message: fmt.Sprintf(
			"position %d, at the pace of queue %s: %s", v.why.Position, v.why.Queue, v.turnover.pace(v.now))}
	}
	return nil
}

// ends says whether what the pod waits for comes by itself, when others end.
func (v *view) ends() bool {
	switch v.why.Reason {
	case ledger.BehindHead, ledger.Turn:
		return true
	}
	return v.blocking != nil && !slices.Contains([]ledger.Reason{
		ledger.QueueNotFound, ledger.AgentNotFound, ledger.QueuePaused, ledger.BudgetExhausted, ledger.GangIncomplete, ledger.NeverFits,
	}, v.why.Reason)
}

func limitName(c *ledger.Check) string {
	name := fmt.Sprintf("%s %s", c.Kind, c.DisplayName())
	if c.Resource != "" {
		name = c.Resource + " of " + name
	}
	return name
}

// declaredRuntime is how long a pod runs at most, as it declares; 0: it does not.
func declaredRuntime(pod *v1.Pod) time.Duration {
	var declared time.Duration
	if seconds := pod.Spec.ActiveDeadlineSeconds; seconds != nil {
		declared = time.Duration(*seconds) * time.Second
	}
	if runtime, err := tenancy.MaxRuntime(pod.Annotations); err == nil && runtime > 0 && (declared == 0 || runtime < declared) {
		declared = runtime
	}
	return declared
}
