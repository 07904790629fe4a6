package scheduler

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/events"
	"k8s.io/klog/v2"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
)

// A waiting pod says why, in a condition and an event. Neither is worth slowing admission for:
// pods that wait shortly never get one, a reason is written when it changes and not when its
// numbers do, and writes are few per second whatever the number of waiting pods.

const (
	reportPeriod = 200 * time.Millisecond
	// reportAgain is how long after a look the same pod is looked at again.
	reportAgain = 5 * time.Second
	// reportLooks bounds the pods looked at per period.
	reportLooks = 200
)

// reportLine is the line of pods to be looked at, in order of time. Ahead of them go bound pods whose condition is
// out of date, one for each write before, and those that room is held for: others wait for them, and a new leader
// goes by what they say.
type reportLine struct {
	waiting []lookAt
	ahead   []types.UID
}

type lookAt struct {
	uid types.UID
	at  time.Time
}

// finding is what a pod should say.
type finding struct {
	pod       *v1.Pod
	condition v1.PodCondition
}

// report has the reporter look at a pod, unless it will anyway. A standby has no reporter: countOn catches up.
func (r *Room) report(e *entry) {
	switch {
	case !r.leading:
	case e.bound():
		if c := admittedCondition(e.pod); c != nil && c.Status == v1.ConditionFalse && !r.preempted(e) {
			r.reports.ahead = append(r.reports.ahead, e.uid())
		}
	case !e.reportable:
		e.reportable = true
		r.reports.waiting = append(r.reports.waiting, lookAt{e.uid(), r.clock.Now().Add(r.args.ReportDelay.Duration)})
	}
}

// findings looks at the pods whose turn it is and returns at most budget that need a write.
func (r *Room) findings(budget int) []finding {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	var out []finding
	for len(r.reports.ahead) > 0 && len(out) < budget {
		e := r.entries[r.reports.ahead[0]]
		r.reports.ahead = r.reports.ahead[1:]
		switch {
		case e == nil || !e.listed:
		case !e.bound() && now.Sub(e.entered) >= r.args.ReportDelay.Duration:
			out = r.findVerdict(out, e)
		case e.bound() && !r.preempted(e):
			out = r.find(out, e, v1.ConditionTrue, "Admitted", fmt.Sprintf("queue %s admitted it", e.assignment.Queue))
		}
	}
	for looks := 0; looks < reportLooks && len(out) < budget && len(r.reports.waiting) > 0; looks++ {
		head := r.reports.waiting[0]
		if head.at.After(now) {
			break
		}
		r.reports.waiting = r.reports.waiting[1:]
		e := r.entries[head.uid]
		if e == nil || !e.listed || e.bound() {
			if e != nil {
				e.reportable = false
			}
			continue
		}
		r.reports.waiting = append(r.reports.waiting, lookAt{head.uid, now.Add(reportAgain)})
		out = r.findVerdict(out, e)
	}
	return out
}

// findVerdict adds a finding if a pod waits for another reason than it says.
func (r *Room) findVerdict(out []finding, e *entry) []finding {
	if r.saysWhy(e) {
		return out
	}
	if reason, message := r.verdict(e); reason != "" {
		return r.find(out, e, v1.ConditionFalse, reason, message)
	}
	return out
}

// saysWhy says whether a pod in line says why already, as most do at most looks. To know the reason costs less than
// a sentence with a position.
func (r *Room) saysWhy(e *entry) bool {
	c := admittedCondition(e.pod)
	return c != nil && c.Status == v1.ConditionFalse && e.refusal == nil && r.ledger.State(string(e.uid())) == ledger.Waiting &&
		c.Reason == r.waitReason(e, r.ledger.Reason(string(e.uid())))
}

// find adds a finding if the pod says something else.
func (r *Room) find(out []finding, e *entry, status v1.ConditionStatus, reason, message string) []finding {
	c := admittedCondition(e.pod)
	if c != nil && c.Status == status && c.Reason == reason {
		return out
	}
	return append(out, finding{e.pod, v1.PodCondition{
		Type: v1alpha1.AdmittedCondition, Status: status, Reason: reason, Message: message,
		LastTransitionTime: metav1.Time{Time: r.clock.Now()},
	}})
}

// verdict is why a pod waits, or nothing if it does not wait for its queue.
func (r *Room) verdict(e *entry) (reason, message string) {
	if e.refusal != nil {
		return e.refusal.Reason, e.refusal.Message
	}
	switch r.ledger.State(string(e.uid())) {
	case ledger.Waiting:
		return r.explain(e)
	case ledger.Suspended:
		if by := r.barred(e); by != "" {
			return reasonPreempted, "its operation was preempted by " + by + "; it waits in line again when the pods that were evicted are gone"
		}
		message = "no node fits it; its room serves others until it is tried again"
		if e.retryAt.After(r.clock.Now()) {
			message += " at " + e.retryAt.UTC().Format(time.RFC3339)
		}
		return v1.PodReasonUnschedulable, message + e.whyUnplaced()
	case ledger.Admitted:
		if !e.idleSince.IsZero() {
			return v1.PodReasonUnschedulable, "no node fits it; it keeps its room while nobody else waits for it" + e.whyUnplaced()
		}
	}
	return "", ""
}

// whyUnplaced is why a pod is not on a node though it was admitted.
func (e *entry) whyUnplaced() string {
	if e.untried != "" {
		return ": " + e.untried
	}
	return schedulersReason(e.pod)
}

// schedulersReason is what kube-scheduler itself says of a pod it found no node for.
func schedulersReason(pod *v1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type == v1.PodScheduled && c.Message != "" {
			return ": " + c.Message
		}
	}
	return ""
}

func admittedCondition(pod *v1.Pod) *v1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == v1alpha1.AdmittedCondition {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// The condition and the event that say why a pod waits.
//
// +kubebuilder:rbac:groups="",resources=pods/status,verbs=patch
// +kubebuilder:rbac:groups="";events.k8s.io,resources=events,verbs=create;patch;update

// reporter writes findings until ctx ends.
type reporter struct {
	room      *Room
	client    kubernetes.Interface
	recorders map[string]events.EventRecorderLogger // by profile
}

func (p *reporter) run(ctx context.Context) {
	ticker := p.room.clock.NewTicker(reportPeriod)
	defer ticker.Stop()
	budget := float64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C():
		}
		qps := float64(p.room.args.ReportQPS)
		budget = min(budget+qps*reportPeriod.Seconds(), qps)
		for _, f := range p.room.findings(int(budget)) {
			budget--
			p.write(ctx, f)
		}
	}
}

func (p *reporter) write(ctx context.Context, f finding) {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": f.pod.UID},
		"status":   map[string]any{"conditions": []v1.PodCondition{f.condition}},
	})
	if err == nil {
		_, err = p.client.CoreV1().Pods(f.pod.Namespace).Patch(ctx, f.pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	}
	switch {
	case apierrors.IsNotFound(err), apierrors.IsConflict(err):
		return // it is gone, or another of its name is there
	case err != nil:
		klog.FromContext(ctx).Error(err, "Cannot write why a pod waits; the next look tries again", "pod", klog.KObj(f.pod))
		return
	}
	if f.condition.Status == v1.ConditionFalse {
		p.recorders[f.pod.Spec.SchedulerName].Eventf(f.pod, nil, v1.EventTypeNormal, f.condition.Reason, "Queueing", "%s", f.condition.Message)
	}
}
