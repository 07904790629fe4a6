package operation

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Assign makes what an attempt runs as in another cluster: an Assignment to an agent. Its template is rendered here, so that
// it makes there what it would make here; namespace is where. The mark's namespace is the agent's at the hub.
func (r *Recipe) Assign(ctx context.Context, m Mark, namespace string) (Made, error) {
	tree, err := r.render(ctx, m)
	if err != nil {
		return Made{}, err
	}
	template, err := r.literal(tree)
	if err != nil {
		return Made{}, err
	}
	made, err := m.Build(r.kind, tree)
	if err != nil {
		return Made{}, err
	}
	op := m.Operation
	a := &v1alpha1.Assignment{Spec: v1alpha1.AssignmentSpec{
		Origin:     v1alpha1.OperationReference{Namespace: op.Namespace, Name: op.Name, UID: op.UID},
		Namespace:  namespace,
		QueuedTime: ptr.To(metav1.NewMicroTime(m.Queued)),
		Operation: v1alpha1.OperationSpec{
			Queue: m.Queue, Project: m.Project, Priority: m.Priority, Cost: m.Cost,
			Template: template, Environment: op.Spec.Environment.DeepCopy(), DesiredState: v1alpha1.Run,
		},
	}}
	if m.StartTimeout != 0 && m.StartTimeout != defaultStartTimeout {
		a.Spec.Operation.Termination = &v1alpha1.Termination{StartTimeout: &metav1.Duration{Duration: m.StartTimeout}}
	}
	m.stamp(a)
	made.Object = a
	return made, nil
}

// literal is a rendered tree as a template that says the same: what looks like an expression in it is none.
func (r *Recipe) literal(tree any) (*v1alpha1.RunTemplate, error) {
	data, err := json.Marshal(withoutMeaning(tree))
	if err != nil {
		return nil, err
	}
	raw := runtime.RawExtension{Raw: data}
	switch r.kind {
	case "pod":
		return &v1alpha1.RunTemplate{Pod: &raw}, nil
	case "job":
		return &v1alpha1.RunTemplate{Job: &raw}, nil
	}
	return &v1alpha1.RunTemplate{Object: &v1alpha1.ObjectTemplate{
		Manifest: raw, SuccessCondition: r.object.SuccessCondition, FailureCondition: r.object.FailureCondition,
	}}, nil
}

// withoutMeaning writes braces so that they stand for themselves.
func withoutMeaning(tree any) any {
	switch node := tree.(type) {
	case string:
		return strings.ReplaceAll(node, "{{", `{{ "{{" }}`)
	case []any:
		out := make([]any, len(node))
		for i, item := range node {
			out[i] = withoutMeaning(item)
		}
		return out
	case map[string]any:
		out := maps.Clone(node)
		for key, value := range node {
			out[key] = withoutMeaning(value)
		}
		return out
	}
	return tree
}

// Contact is what is known of the agent that something is assigned to.
type Contact struct {
	Agent string
	// LostAt is since when it has not been heard of; zero: it is.
	LostAt time.Time
}

// missing says since when an agent does not answer.
func (c Contact) missing() string {
	return fmt.Sprintf("agent %s unreachable since %s", c.Agent, c.LostAt.UTC().Format(time.RFC3339))
}

// ObserveAssignment says how far an attempt has come in another cluster.
func ObserveAssignment(a *v1alpha1.Assignment, c Contact) Observation {
	o := observeAssigned(a, c)
	o.Deleting = !a.DeletionTimestamp.IsZero()
	if o.Deleting && o.Stage == Waiting && !Claimed(a) {
		o.Stage = Gone // nobody can claim it any more
	}
	if o.Deleting && !Claimed(a) && !o.ended() {
		o.Stage, o.Cause = Gone, Cause{Infrastructure, "AgentEvicted", fmt.Sprintf("agent %s was evicted while it ran there", c.Agent)}
	}
	if !c.LostAt.IsZero() && !o.ended() && o.Stage != Waiting && o.Stage != Unschedulable {
		o.Stage, o.Cause, o.Warning = Lost, Cause{Infrastructure, v1alpha1.ReasonUnreachable, c.missing()}, nil
	}
	return o
}

// Claimed says that it is the agent's.
func Claimed(a *v1alpha1.Assignment) bool {
	for _, f := range a.Finalizers {
		if f == v1alpha1.AgentFinalizer {
			return true
		}
	}
	return false
}

func observeAssigned(a *v1alpha1.Assignment, c Contact) Observation {
	there := a.Status.Operation
	switch {
	case a.Status.Returned:
		return Observation{Stage: Gone}
	case a.Status.Lost:
		o := beganThere(there, c)
		o.Stage, o.Cause = Gone, Cause{Infrastructure, "LostByAgent", fmt.Sprintf("it was in the cluster of agent %s and is there no longer; nobody saw how it ended", c.Agent)}
		return o
	case there == nil:
		return Observation{Stage: Waiting}
	}
	o := beganThere(there, c)
	last := v1alpha1.TimelineEntry{}
	if n := len(there.Timeline); n > 0 {
		last = there.Timeline[n-1]
	}
	switch there.Phase {
	case v1alpha1.StatusUnschedulable:
		o.Stage, o.Cause = Unschedulable, Cause{Infrastructure, last.Reason, last.Message}
	case v1alpha1.StatusScheduled:
		o.Stage = Scheduled
	case v1alpha1.StatusStarting:
		o.Stage = Starting
	case v1alpha1.StatusRunning, v1alpha1.StatusStopping:
		o.Stage = Running
		if o.ScheduledAt.IsZero() {
			o.Stage = Waiting
		}
	case v1alpha1.StatusWarning:
		o.Stage, o.Warning = Starting, &Cause{Infrastructure, last.Reason, last.Message}
		if !o.RunningAt.IsZero() {
			o.Stage = Running // whether it runs on is the agent's cluster's to say
		}
	case v1alpha1.StatusUnknown:
		o.Stage, o.Cause = Lost, Cause{Infrastructure, last.Reason, last.Message}
	case v1alpha1.StatusSucceeded:
		o.Stage = Succeeded
	case v1alpha1.StatusFailed, v1alpha1.StatusSkipped, v1alpha1.StatusUpstreamFailed:
		o.Stage, o.Cause = Failed, Cause{there.FailureClass, last.Reason, last.Message}
		if o.Cause.Class == "" {
			o.Cause.Class = Application
		}
	case v1alpha1.StatusStopped:
		o.Stage, o.Cause = Failed, Cause{Infrastructure, last.Reason, fmt.Sprintf("it was stopped in the cluster of agent %s: %s", c.Agent, last.Message)}
		if o.ScheduledAt.IsZero() {
			o = Observation{Stage: Waiting} // it is about to be returned
		}
	default:
		o.Stage = Waiting
	}
	return o
}

// beganThere takes the times and the end of an attempt from its status in the agent's cluster.
func beganThere(there *v1alpha1.OperationStatus, c Contact) Observation {
	o := Observation{}
	if there == nil {
		return o
	}
	for _, e := range there.Timeline {
		at := e.Time.Time
		switch e.Status {
		case v1alpha1.StatusQueued:
			o = Observation{} // it had a node, and waits again
		case v1alpha1.StatusScheduled:
			o.ScheduledAt, o.Node = at, strings.TrimPrefix(e.Message, "on node ")
		case v1alpha1.StatusStarting:
			o.StartingAt = at
		case v1alpha1.StatusRunning:
			if o.RunningAt.IsZero() {
				o.RunningAt = at
			}
		}
	}
	switch {
	case o.Node != "":
		o.Node += " of agent " + c.Agent
	case !o.ScheduledAt.IsZero():
		o.Node = "of agent " + c.Agent
	}
	if there.FinishTime != nil {
		o.FinishedAt = there.FinishTime.Time
	}
	o.ExitCode = there.ExitCode
	if len(there.Outputs) > 0 {
		if data, err := json.Marshal(there.Outputs); err == nil {
			o.Message = string(data)
		}
	}
	return o
}

// WaitingThere is why an attempt waits in another cluster, where it says so.
func WaitingThere(a *v1alpha1.Assignment, c Contact) (reason, message string) {
	switch {
	case !c.LostAt.IsZero():
		return v1alpha1.ReasonUnreachable, c.missing()
	case a.Status.Operation == nil && a.Status.Message != "":
		return "AgentCannot", a.Status.Message
	case a.Status.Operation != nil:
		if w := meta.FindStatusCondition(a.Status.Operation.Conditions, v1alpha1.WaitingCondition); w != nil {
			return w.Reason, w.Message
		}
	}
	return "", ""
}
