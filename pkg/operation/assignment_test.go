package operation

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

type assignmentEdit func(*v1alpha1.Assignment)

func claimedBy(edits ...assignmentEdit) *v1alpha1.Assignment {
	a := &v1alpha1.Assignment{}
	a.Finalizers = []string{v1alpha1.OperationFinalizer, v1alpha1.AgentFinalizer}
	for _, edit := range edits {
		edit(a)
	}
	return a
}

func unclaimed(a *v1alpha1.Assignment) { a.Finalizers = []string{v1alpha1.OperationFinalizer} }
func deleted(a *v1alpha1.Assignment)   { a.DeletionTimestamp = ptr.To(metav1.NewTime(start)) }
func returned(a *v1alpha1.Assignment)  { a.Status.Returned = true }
func lost(a *v1alpha1.Assignment)      { a.Status.Lost = true }

// went is a copy that passed through statuses, one each second.
func went(statuses ...v1alpha1.Status) assignmentEdit {
	return func(a *v1alpha1.Assignment) {
		there := &v1alpha1.OperationStatus{}
		for i, s := range statuses {
			message := "so it is"
			if s == v1alpha1.StatusScheduled {
				message = "on node n1"
			}
			at := metav1.NewMicroTime(start.Add(time.Duration(i) * time.Second))
			there.Phase = s
			there.Timeline = append(there.Timeline, v1alpha1.TimelineEntry{Status: s, Time: at, Reason: "There", Message: message, Attempt: 1})
			if s.Final() {
				there.FinishTime = &at
			}
		}
		a.Status.Operation = there
	}
}

func ofClass(class Class) assignmentEdit {
	return func(a *v1alpha1.Assignment) {
		a.Status.Operation.FailureClass, a.Status.Operation.ExitCode = class, ptr.To[int32](3)
	}
}

func TestObserveAssignment(t *testing.T) {
	const queued, unschedulable, scheduled, starting, running = v1alpha1.StatusQueued, v1alpha1.StatusUnschedulable, v1alpha1.StatusScheduled, v1alpha1.StatusStarting, v1alpha1.StatusRunning
	ran := []v1alpha1.Status{queued, scheduled, starting, running}
	to := func(end v1alpha1.Status) assignmentEdit { return went(append(ran[:len(ran):len(ran)], end)...) }
	silent := Contact{Agent: "east", LostAt: start}
	for name, c := range map[string]struct {
		a        *v1alpha1.Assignment
		contact  Contact
		stage    Stage
		class    Class
		reason   string
		says     string
		deleting bool
	}{
		"nobody has claimed it":          {a: claimedBy(unclaimed), stage: Waiting},
		"claimed":                        {a: claimedBy(), stage: Waiting},
		"queued":                         {a: claimedBy(went(queued)), stage: Waiting},
		"unschedulable":                  {a: claimedBy(went(queued, unschedulable)), stage: Unschedulable, class: Infrastructure, reason: "There", says: "so it is"},
		"scheduled":                      {a: claimedBy(went(queued, scheduled)), stage: Scheduled},
		"starting":                       {a: claimedBy(went(queued, scheduled, starting)), stage: Starting},
		"running":                        {a: claimedBy(went(ran...)), stage: Running},
		"waits again":                    {a: claimedBy(to(queued)), stage: Waiting},
		"its node is silent":             {a: claimedBy(to(v1alpha1.StatusUnknown)), stage: Lost, class: Infrastructure, reason: "There"},
		"is being stopped":               {a: claimedBy(to(v1alpha1.StatusStopping), deleted), stage: Running, deleting: true},
		"is stopped before it began":     {a: claimedBy(went(queued, v1alpha1.StatusStopping), deleted), stage: Waiting, deleting: true},
		"succeeded":                      {a: claimedBy(to(v1alpha1.StatusSucceeded)), stage: Succeeded},
		"failed by itself":               {a: claimedBy(to(v1alpha1.StatusFailed), ofClass(Application)), stage: Failed, class: Application, reason: "There", says: "so it is"},
		"cannot be":                      {a: claimedBy(went(v1alpha1.StatusFailed), ofClass(Configuration)), stage: Failed, class: Configuration, reason: "There"},
		"was lost to its cluster":        {a: claimedBy(to(v1alpha1.StatusFailed), ofClass(Infrastructure)), stage: Failed, class: Infrastructure, reason: "There"},
		"took too long":                  {a: claimedBy(to(v1alpha1.StatusFailed), ofClass(Deadline)), stage: Failed, class: Deadline, reason: "There"},
		"stopped by somebody there":      {a: claimedBy(to(v1alpha1.StatusStopped)), stage: Failed, class: Infrastructure, reason: "There", says: "it was stopped in the cluster of agent east"},
		"given back, not yet said":       {a: claimedBy(went(queued, v1alpha1.StatusStopped)), stage: Waiting},
		"returned":                       {a: claimedBy(went(queued, v1alpha1.StatusStopped), returned), stage: Gone},
		"vanished from its cluster":      {a: claimedBy(went(ran...), lost), stage: Gone, class: Infrastructure, reason: "LostByAgent", says: "nobody saw how it ended"},
		"deleted, and nobody claimed it": {a: claimedBy(unclaimed, deleted), stage: Gone, deleting: true},
		"evicted before it began":        {a: claimedBy(unclaimed, deleted, went(queued)), stage: Gone, deleting: true},
		"evicted while it ran":           {a: claimedBy(unclaimed, deleted, went(ran...)), stage: Gone, class: Infrastructure, reason: "AgentEvicted", says: "agent east was evicted", deleting: true},
		"let go after its end":           {a: claimedBy(unclaimed, deleted, to(v1alpha1.StatusSucceeded)), stage: Succeeded, deleting: true},

		"silent agent, waits":      {a: claimedBy(went(queued)), contact: silent, stage: Waiting},
		"silent agent, begun":      {a: claimedBy(went(queued, scheduled)), contact: silent, stage: Lost, class: Infrastructure, reason: v1alpha1.ReasonUnreachable, says: "agent east unreachable since " + start.Format(time.RFC3339)},
		"silent agent, runs":       {a: claimedBy(went(ran...)), contact: silent, stage: Lost, class: Infrastructure, reason: v1alpha1.ReasonUnreachable},
		"silent agent, warned":     {a: claimedBy(went(queued, scheduled, v1alpha1.StatusWarning)), contact: silent, stage: Lost, class: Infrastructure, reason: v1alpha1.ReasonUnreachable},
		"silent agent, had failed": {a: claimedBy(to(v1alpha1.StatusFailed), ofClass(Application)), contact: silent, stage: Failed, class: Application, reason: "There"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.contact.Agent == "" {
				c.contact.Agent = "east"
			}
			o := ObserveAssignment(c.a, c.contact)
			require.Equal(t, c.stage, o.Stage)
			require.Equal(t, c.class, o.Cause.Class)
			require.Equal(t, c.reason, o.Cause.Reason)
			require.Contains(t, o.Cause.Message, c.says)
			require.Equal(t, c.deleting, o.Deleting)
			require.Nil(t, o.Warning)
		})
	}
}

func TestObserveAssignmentDetails(t *testing.T) {
	at := func(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }
	a := claimedBy(went(v1alpha1.StatusQueued, v1alpha1.StatusScheduled, v1alpha1.StatusStarting, v1alpha1.StatusRunning, v1alpha1.StatusSucceeded), ofClass(""))
	a.Status.Operation.Outputs = v1alpha1.Values{"loss": apiextensionsv1.JSON{Raw: []byte("0.25")}}
	o := ObserveAssignment(a, Contact{Agent: "east"})
	require.Equal(t, "n1 of agent east", o.Node)
	require.Equal(t, []time.Time{at(1), at(2), at(3), at(4)}, []time.Time{o.ScheduledAt, o.StartingAt, o.RunningAt, o.FinishedAt})
	require.EqualValues(t, 3, *o.ExitCode)
	outputs, err := Outputs(o.Message)
	require.NoError(t, err)
	require.JSONEq(t, "0.25", string(outputs["loss"].Raw))

	o = ObserveAssignment(claimedBy(went(v1alpha1.StatusQueued, v1alpha1.StatusScheduled, v1alpha1.StatusWarning)), Contact{Agent: "east"})
	require.Equal(t, Starting, o.Stage)
	require.Equal(t, "There", o.Warning.Reason)

	// What waits again has no node.
	o = ObserveAssignment(claimedBy(went(v1alpha1.StatusQueued, v1alpha1.StatusScheduled, v1alpha1.StatusQueued)), Contact{Agent: "east"})
	require.Zero(t, o.ScheduledAt)
	require.Empty(t, o.Node)
}

// Whether a trial that is warned of goes on is its cluster's to say, which has to know how long that takes.
func TestWarnedThere(t *testing.T) {
	for _, c := range []struct {
		statuses []v1alpha1.Status
		stage    Stage
	}{
		{[]v1alpha1.Status{v1alpha1.StatusQueued, v1alpha1.StatusScheduled, v1alpha1.StatusWarning}, Starting},
		{[]v1alpha1.Status{v1alpha1.StatusQueued, v1alpha1.StatusScheduled, v1alpha1.StatusRunning, v1alpha1.StatusWarning}, Running},
	} {
		o := ObserveAssignment(claimedBy(went(c.statuses...)), Contact{Agent: "east"})
		require.Equal(t, c.stage, o.Stage)
		require.Equal(t, "There", o.Warning.Reason)
	}
	op := operationIn("")
	op.Spec.Template = &v1alpha1.RunTemplate{Pod: &runtime.RawExtension{Raw: []byte(`{"spec": {"containers": [{"name": "main", "image": "x"}]}}`)}}
	recipe, err := Compile(op, nil)
	require.NoError(t, err)
	for given, want := range map[time.Duration]*v1alpha1.Termination{
		0: nil, defaultStartTimeout: nil, time.Hour: {StartTimeout: &metav1.Duration{Duration: time.Hour}},
	} {
		made, err := recipe.Assign(t.Context(), Mark{Operation: op, Attempt: 1, Namespace: "queueyard-agent-east", Queue: "gpu", StartTimeout: given}, "team")
		require.NoError(t, err)
		require.Equal(t, want, made.Object.(*v1alpha1.Assignment).Spec.Operation.Termination)
	}
}

func TestWaitingThere(t *testing.T) {
	says := func(a *v1alpha1.Assignment) {
		a.Status.Operation.Conditions = []metav1.Condition{{Type: v1alpha1.WaitingCondition, Reason: "QueueFull", Message: "queue gpu: 2/2 operations running"}}
	}
	obstacle := func(a *v1alpha1.Assignment) { a.Status.Message = "namespace work does not exist" }
	for name, c := range map[string]struct {
		a              *v1alpha1.Assignment
		contact        Contact
		reason, starts string
	}{
		"nothing is known":   {a: claimedBy(unclaimed)},
		"as the agent says":  {a: claimedBy(went(v1alpha1.StatusQueued), says), reason: "QueueFull", starts: "queue gpu: 2/2"},
		"it cannot be made":  {a: claimedBy(unclaimed, obstacle), reason: "AgentCannot", starts: "namespace work does not exist"},
		"the agent is away":  {a: claimedBy(went(v1alpha1.StatusQueued), says), contact: Contact{Agent: "east", LostAt: start}, reason: v1alpha1.ReasonUnreachable, starts: "agent east unreachable since"},
		"it says no reasons": {a: claimedBy(went(v1alpha1.StatusQueued))},
	} {
		t.Run(name, func(t *testing.T) {
			reason, message := WaitingThere(c.a, c.contact)
			require.Equal(t, c.reason, reason)
			require.Contains(t, message, c.starts)
		})
	}
}
