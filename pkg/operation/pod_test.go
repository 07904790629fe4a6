package operation

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

type podEdit func(*corev1.Pod)

func podWith(edits ...podEdit) *corev1.Pod {
	pod := &corev1.Pod{}
	pod.Name, pod.Finalizers = "train-1", []string{v1alpha1.OperationFinalizer}
	pod.Spec.Containers = []corev1.Container{{Name: "sidecar"}, {Name: "main", Resources: corev1.ResourceRequirements{
		Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}}}}
	pod.Status.Phase = corev1.PodPending
	for _, edit := range edits {
		edit(pod)
	}
	return pod
}

func onNode(pod *corev1.Pod) {
	pod.Spec.NodeName = "n1"
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(start)})
}

func prepared(pod *corev1.Pod) {
	onNode(pod)
	pod.Status.StartTime = ptr.To(metav1.NewTime(start.Add(time.Second)))
}

func withCondition(kind corev1.PodConditionType, status corev1.ConditionStatus, reason, message string) podEdit {
	return func(pod *corev1.Pod) {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: kind, Status: status, Reason: reason, Message: message})
	}
}

func mainState(state corev1.ContainerState) podEdit {
	return func(pod *corev1.Pod) {
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{Name: "main", State: state})
	}
}

func held(reason, message string) podEdit {
	return mainState(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}})
}

func ended(code int32, reason, message string) podEdit {
	return mainState(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: code, Reason: reason, Message: message, StartedAt: metav1.NewTime(start.Add(2 * time.Second)), FinishedAt: metav1.NewTime(start.Add(3 * time.Second))}})
}

func phase(p corev1.PodPhase) podEdit { return func(pod *corev1.Pod) { pod.Status.Phase = p } }

func because(reason, message string) podEdit {
	return func(pod *corev1.Pod) { pod.Status.Reason, pod.Status.Message = reason, message }
}

func deleting(grace int64) podEdit {
	return func(pod *corev1.Pod) {
		pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = ptr.To(metav1.NewTime(start)), &grace
	}
}

func TestObservePod(t *testing.T) {
	running := mainState(corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(start.Add(2 * time.Second))}})
	failed := phase(corev1.PodFailed)
	for name, c := range map[string]struct {
		pod     *corev1.Pod
		stage   Stage
		class   Class
		reason  string
		says    string
		warning string
	}{
		"waits":            {pod: podWith(), stage: Waiting},
		"waits for a seat": {pod: podWith(withCondition(v1alpha1.AdmittedCondition, corev1.ConditionFalse, "QueueFull", "2/2")), stage: Waiting},
		"no node fits":     {pod: podWith(withCondition(v1alpha1.AdmittedCondition, corev1.ConditionFalse, "Unschedulable", "0/3 nodes")), stage: Unschedulable, class: Infrastructure, reason: "Unschedulable", says: "0/3 nodes"},
		"scheduled":        {pod: podWith(onNode), stage: Scheduled},
		"starting":         {pod: podWith(prepared), stage: Starting},
		"bad image":        {pod: podWith(prepared, held("ImagePullBackOff", "no such image")), stage: Starting, warning: "ImageError"},
		"invalid image":    {pod: podWith(prepared, held("InvalidImageName", "")), stage: Starting, warning: "ImageError"},
		"missing secret":   {pod: podWith(prepared, held("CreateContainerConfigError", `secret "x" not found`)), stage: Starting, warning: "ConfigError"},
		"being created":    {pod: podWith(prepared, held("ContainerCreating", "")), stage: Starting},
		"running":          {pod: podWith(prepared, running), stage: Running},
		"lost":             {pod: podWith(prepared, running, withCondition(corev1.PodReady, corev1.ConditionUnknown, "NodeStatusUnknown", "")), stage: Lost, class: Infrastructure, reason: "NodeLost", says: "n1"},
		"succeeded":        {pod: podWith(prepared, ended(0, "Completed", `{"a":1}`), phase(corev1.PodSucceeded)), stage: Succeeded},
		"exit code":        {pod: podWith(prepared, ended(3, "Error", "oops"), failed), stage: Failed, class: Application, reason: "ExitCode", says: `container "main" ended with exit code 3; its last words: oops`},
		"signal":           {pod: podWith(prepared, ended(139, "Error", ""), failed), stage: Failed, class: Application, reason: "Signalled", says: "signal 11 (SIGSEGV)"},
		"out of memory":    {pod: podWith(prepared, ended(137, "OOMKilled", ""), failed), stage: Failed, class: Application, reason: "OOMKilled", says: "limit 1Gi"},
		"evicted":          {pod: podWith(prepared, ended(137, "Error", ""), failed, because("Evicted", "low on memory")), stage: Failed, class: Infrastructure, reason: "Evicted", says: "low on memory"},
		"drained":          {pod: podWith(prepared, ended(143, "Error", ""), failed, withCondition(corev1.DisruptionTarget, corev1.ConditionTrue, "EvictionByEvictionAPI", "drain")), stage: Failed, class: Infrastructure, reason: "Evicted", says: "drain"},
		"preempted":        {pod: podWith(prepared, failed, withCondition(corev1.DisruptionTarget, corev1.ConditionTrue, corev1.PodReasonPreemptionByScheduler, "")), stage: Failed, class: Infrastructure, reason: "Preempted"},
		"for a queue": {pod: podWith(prepared, ended(143, "Error", ""), failed, deleting(30), withCondition(v1alpha1.AdmittedCondition, corev1.ConditionFalse, "Preempted", "preempted by ns/x in queue high"),
			withCondition(corev1.DisruptionTarget, corev1.ConditionTrue, "EvictionByEvictionAPI", "evicting")), stage: Failed, class: Infrastructure, reason: "Preempted", says: "preempted by ns/x in queue high"},
		"made way once":   {pod: podWith(prepared, ended(3, "Error", ""), failed, withCondition(v1alpha1.AdmittedCondition, corev1.ConditionTrue, "Admitted", "")), stage: Failed, class: Application, reason: "ExitCode"},
		"deleted in line": {pod: podWith(deleting(0), withCondition(v1alpha1.AdmittedCondition, corev1.ConditionFalse, "Preempted", "its operation was preempted")), stage: Gone, class: Infrastructure, reason: "Deleted"},
		"node gone":       {pod: podWith(prepared, failed, withCondition(corev1.DisruptionTarget, corev1.ConditionTrue, "DeletionByPodGC", "")), stage: Failed, class: Infrastructure, reason: "NodeLost"},
		"not found":       {pod: podWith(prepared, ended(137, "ContainerStatusUnknown", ""), failed), stage: Failed, class: Infrastructure, reason: "RunLost", says: `node n1 does not find container "main"`},
		"too long":        {pod: podWith(prepared, failed, because("DeadlineExceeded", "")), stage: Failed, class: Deadline, reason: "DeadlineExceeded"},
		"deleted":         {pod: podWith(prepared, ended(143, "Error", ""), failed, deleting(30)), stage: Failed, class: Infrastructure, reason: "Deleted"},
		"still ending":    {pod: podWith(prepared, running, deleting(30)), stage: Running},
		"deleted waiting": {pod: podWith(deleting(0)), stage: Gone, class: Infrastructure, reason: "Deleted"},
		"forced away":     {pod: podWith(prepared, running, deleting(0)), stage: Gone, class: Infrastructure, reason: "Deleted"},
		"silent":          {pod: podWith(prepared, failed), stage: Failed, class: Application, reason: "Failed"},
		"never started": {pod: podWith(prepared, failed, mainState(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: 128, Reason: "StartError", Message: "no such program", StartedAt: metav1.Unix(0, 0)}})), stage: Failed, class: Application, reason: "ExitCode", says: "no such program"},
		"no GPU left": {pod: podWith(prepared, failed, because("OutOfnvidia.com/gpu", "Node didn't have enough resource: nvidia.com/gpu")), stage: Failed, class: Infrastructure, reason: "OutOfnvidia.com/gpu", says: "enough resource"},
		"sidecar failed": {pod: podWith(prepared, ended(0, "Completed", ""), failed, func(pod *corev1.Pod) {
			pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, corev1.ContainerStatus{Name: "sidecar", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 2}}})
		}), stage: Failed, class: Application, reason: "ExitCode", says: `container "sidecar" ended with exit code 2`},
		"init failed": {pod: podWith(prepared, failed, func(pod *corev1.Pod) {
			pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "fetch", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Message: "no route"}}}}
		}), stage: Failed, class: Application, reason: "ExitCode", says: `container "fetch" ended with exit code 1; its last words: no route`},
	} {
		t.Run(name, func(t *testing.T) {
			o := ObservePod(c.pod)
			require.Equal(t, c.stage, o.Stage)
			require.Equal(t, c.class, o.Cause.Class)
			require.Equal(t, c.reason, o.Cause.Reason)
			require.Contains(t, o.Cause.Message, c.says)
			if c.warning == "" {
				require.Nil(t, o.Warning)
			} else {
				require.Equal(t, c.warning, o.Warning.Reason)
			}
		})
	}
}

// Kubelets say that a container which never started did so in 1970: no time runs since then.
func TestNeverStarted(t *testing.T) {
	op := operationIn(v1alpha1.StatusStarting)
	op.Spec.Termination = &v1alpha1.Termination{MaxRetries: ptr.To[int32](1), Timeout: &metav1.Duration{Duration: time.Hour}}
	run := ObservePod(podWith(prepared, phase(corev1.PodFailed), mainState(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: 128, Reason: "StartError", StartedAt: metav1.Unix(0, 0), FinishedAt: metav1.NewTime(start.Add(3 * time.Second))}})))
	require.True(t, run.RunningAt.IsZero())
	d := Decide(situation(op, run))
	require.Equal(t, v1alpha1.StatusRetrying, d.Status.Phase)
	require.Nil(t, d.Status.StartTime)
}

// A Job that is deleted without its pods is there as long as one of them is.
func TestJobDeletedInTheBackground(t *testing.T) {
	job := &batchv1.Job{}
	job.Finalizers, job.DeletionTimestamp = []string{v1alpha1.OperationFinalizer}, ptr.To(metav1.NewTime(start))
	running := mainState(corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(start.Add(2 * time.Second))}})
	for stage, pod := range map[Stage]*corev1.Pod{Running: podWith(prepared, running), Starting: podWith(prepared), Waiting: podWith()} {
		o := ObserveJob(job, []*corev1.Pod{pod})
		require.Equal(t, stage, o.Stage)
		require.True(t, o.Abandoned)
	}
	for _, pods := range [][]*corev1.Pod{nil, {podWith(prepared, ended(143, "Error", ""), phase(corev1.PodFailed), deleting(0))}} {
		o := ObserveJob(job, pods)
		require.Equal(t, Gone, o.Stage)
		require.False(t, o.Abandoned)
	}
	job.Finalizers = append(job.Finalizers, metav1.FinalizerDeleteDependents)
	require.False(t, ObserveJob(job, []*corev1.Pod{podWith(prepared, running)}).Abandoned)
}

func TestLastWordsAreBounded(t *testing.T) {
	o := ObservePod(podWith(prepared, ended(1, "Error", strings.Repeat("x", 5000)+"the end"), phase(corev1.PodFailed)))
	require.Less(t, len(o.Cause.Message), maxLastWords+100)
	require.Contains(t, o.Cause.Message, "the end")
}

func TestOutputs(t *testing.T) {
	for message, want := range map[string]struct {
		outputs map[string]string
		problem string
	}{
		"":                                    {},
		` {"a": 1, "b": [1, "x"]} `:           {outputs: map[string]string{"a": "1", "b": `[1,"x"]`}},
		`{"big": 12345678901234567890}`:       {outputs: map[string]string{"big": "12345678901234567890"}},
		`done`:                                {problem: "no JSON object"},
		`[1]`:                                 {problem: "no JSON object"},
		`null`:                                {problem: "null"},
		`{"a": 1} {"b": 2}`:                   {problem: "behind its JSON object"},
		`{"a": 1}}`:                           {problem: "behind its JSON object"},
		`{"a": {"b": [1e400]}}`:               {problem: `output "a" of the termination message has a number that is too large`},
		`{"a": "` + strings.Repeat("x", 4090): {problem: "cut at 4096"},
	} {
		outputs, err := Outputs(message)
		if want.problem != "" {
			require.ErrorContains(t, err, want.problem, message)
			continue
		}
		require.NoError(t, err, message)
		require.Len(t, outputs, len(want.outputs))
		for name, raw := range want.outputs {
			require.Equal(t, raw, string(outputs[name].Raw))
		}
	}
}

func TestRunNames(t *testing.T) {
	seen := map[string]bool{}
	for _, uid := range []types.UID{"a", "b"} {
		for _, attempt := range []int32{1, 2, 1000000} {
			op := &v1alpha1.Operation{}
			op.Name, op.UID = strings.Repeat("n", 63), uid
			name := RunName(op, attempt)
			require.LessOrEqual(t, len(name), 63)
			require.Equal(t, name, RunName(op, attempt))
			require.False(t, seen[name], name)
			seen[name] = true
		}
	}
}
