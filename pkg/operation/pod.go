package operation

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/timeline"
)

// MainContainer is the name of the container whose end is the pod's; without one it is the first.
const MainContainer = "main"

// ObservePod is what a pod tells of the run that it is.
func ObservePod(pod *corev1.Pod) Observation {
	o := Observation{
		Deleting: pod.DeletionTimestamp != nil,
		Node:     pod.Spec.NodeName,
		Warning:  startWarning(pod),
		Gated:    Gated(pod),
	}
	o.ScheduledAt = transition(pod, corev1.PodScheduled)
	if pod.Status.StartTime != nil {
		o.StartingAt = pod.Status.StartTime.Time
	}
	main := mainStatus(pod)
	switch {
	case main == nil:
	case main.State.Running != nil:
		o.RunningAt = began(main.State.Running.StartedAt)
	case main.State.Terminated != nil:
		ended := main.State.Terminated
		o.RunningAt, o.FinishedAt = began(ended.StartedAt), ended.FinishedAt.Time
		o.ExitCode, o.Message = &ended.ExitCode, ended.Message
	}
	switch {
	case pod.Status.Phase == corev1.PodSucceeded:
		o.Stage = Succeeded
	case pod.Status.Phase == corev1.PodFailed:
		o.Stage, o.Cause = Failed, podCause(pod, main)
	case o.Deleting && (pod.Spec.NodeName == "" || onlyOurs(pod)):
		// Whoever deletes a pod by force leaves no trace of how its program ended.
		o.Stage, o.Cause = Gone, podCause(pod, main)
	case pod.Spec.NodeName == "":
		o.Stage = Waiting
		if cause, ok := unschedulable(pod); ok {
			o.Stage, o.Cause = Unschedulable, cause
		}
	case nodeLost(pod):
		o.Stage = Lost
		o.Cause = Cause{Infrastructure, "NodeLost", fmt.Sprintf("node %s does not answer", pod.Spec.NodeName)}
	case !o.RunningAt.IsZero():
		o.Stage = Running
	case !o.StartingAt.IsZero():
		o.Stage = Starting
	default:
		o.Stage = Scheduled
	}
	return o
}

// began is when a container started; zero: it never did. Kubelets write the beginning of 1970 then.
func began(at metav1.Time) time.Time {
	if at.Unix() <= 0 {
		return time.Time{}
	}
	return at.Time
}

// onlyOurs says that a pod in deletion would be gone but for our finalizer: its grace period is over,
// which the API server sets to 0 once its node has confirmed the end.
func onlyOurs(pod *corev1.Pod) bool {
	return pod.DeletionGracePeriodSeconds != nil && *pod.DeletionGracePeriodSeconds == 0 &&
		len(pod.Finalizers) == 1 && pod.Finalizers[0] == v1alpha1.OperationFinalizer
}

// Gated says whether the workflows of a pod's operation have not let it to its queue.
func Gated(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.SchedulingGates, func(g corev1.PodSchedulingGate) bool { return g.Name == v1alpha1.WorkflowGate })
}

func transition(pod *corev1.Pod, kind corev1.PodConditionType) time.Time {
	if c := condition(pod, kind); c != nil && c.Status == corev1.ConditionTrue {
		return c.LastTransitionTime.Time
	}
	return time.Time{}
}

func condition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	i := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == kind })
	if i < 0 {
		return nil
	}
	return &pod.Status.Conditions[i]
}

func mainStatus(pod *corev1.Pod) *corev1.ContainerStatus {
	all := pod.Status.ContainerStatuses
	name := MainContainerOf(pod)
	i := slices.IndexFunc(all, func(s corev1.ContainerStatus) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// unschedulable is why no node takes a pod that its queue has admitted.
func unschedulable(pod *corev1.Pod) (Cause, bool) {
	if c := condition(pod, v1alpha1.AdmittedCondition); c != nil && c.Status == corev1.ConditionFalse && c.Reason == string(corev1.PodReasonUnschedulable) {
		return Cause{Infrastructure, c.Reason, c.Message}, true
	}
	return Cause{}, false
}

func nodeLost(pod *corev1.Pod) bool {
	if pod.Status.Phase == corev1.PodUnknown || pod.Status.Reason == "NodeLost" {
		return true
	}
	ready := condition(pod, corev1.PodReady)
	return ready != nil && ready.Status == corev1.ConditionUnknown
}

// causes of disruptions that a pod's conditions tell, and what class they are.
var disruptions = map[string]string{
	corev1.PodReasonPreemptionByScheduler: reasonPreempted,
	corev1.PodReasonTerminationByKubelet:  "Evicted",
	"EvictionByEvictionAPI":               "Evicted",
	"DeletionByTaintManager":              "NodeLost",
	"DeletionByPodGC":                     "NodeLost",
}

// outOf begins the reason of a kubelet that lacks room for a pod that it got; the name of the resource follows.
const outOf = "OutOf"

// reasonPreempted is what the scheduler writes into a pod before it evicts it for another queue.
const reasonPreempted = "Preempted"

// podCause is why a pod failed.
func podCause(pod *corev1.Pod, main *corev1.ContainerStatus) Cause {
	if c := condition(pod, v1alpha1.AdmittedCondition); c != nil && c.Status == corev1.ConditionFalse && c.Reason == reasonPreempted && pod.Spec.NodeName != "" {
		return Cause{Infrastructure, c.Reason, c.Message}
	}
	if c := condition(pod, corev1.DisruptionTarget); c != nil && c.Status == corev1.ConditionTrue {
		return Cause{Infrastructure, cmp.Or(disruptions[c.Reason], "Evicted"), sentence(c.Message, pod.Status.Message)}
	}
	if strings.HasPrefix(pod.Status.Reason, outOf) {
		return Cause{Infrastructure, pod.Status.Reason, sentence(pod.Status.Message)}
	}
	switch pod.Status.Reason {
	case "Evicted", "Preempting", "NodeShutdown", "Terminated", "NodeLost", "NodeAffinity", "TopologyAffinityError", "UnexpectedAdmissionError", "Shutdown":
		return Cause{Infrastructure, pod.Status.Reason, sentence(pod.Status.Message)}
	case "DeadlineExceeded":
		return Cause{Deadline, "DeadlineExceeded", sentence("the pod ran longer than its activeDeadlineSeconds", pod.Status.Message)}
	}
	if cause, ok := containerCause(pod, main); ok {
		return cause
	}
	if pod.DeletionTimestamp != nil {
		return Cause{Infrastructure, "Deleted", "somebody deleted the pod"}
	}
	return Cause{Application, "Failed", sentence(cmp.Or(pod.Status.Message, "the pod failed and does not say why"))}
}

// containerCause is the first thing that went wrong in a pod: an init container's end, the main
// container's, any other's.
func containerCause(pod *corev1.Pod, main *corev1.ContainerStatus) (Cause, bool) {
	statuses := slices.Clone(pod.Status.InitContainerStatuses)
	if main != nil {
		statuses = append(statuses, *main)
	}
	statuses = append(statuses, pod.Status.ContainerStatuses...)
	for _, s := range statuses {
		ended := s.State.Terminated
		if ended == nil || ended.ExitCode == 0 && ended.Signal == 0 {
			continue
		}
		if pod.DeletionTimestamp != nil && ended.Reason != "OOMKilled" && (ended.ExitCode == 143 || ended.ExitCode == 137) {
			return Cause{Infrastructure, "Deleted", fmt.Sprintf("somebody deleted the pod; container %q ended by %s", s.Name, exit(ended))}, true
		}
		if ended.Reason == containerLost {
			return Cause{Infrastructure, "RunLost", fmt.Sprintf("node %s does not find container %q: nobody knows how it ended", pod.Spec.NodeName, s.Name)}, true
		}
		return Cause{Application, reasonOf(ended), endOf(pod, &s, ended)}, true
	}
	return Cause{}, false
}

// containerLost is what a kubelet says of a container that it should have and does not find.
const containerLost = "ContainerStatusUnknown"

func reasonOf(ended *corev1.ContainerStateTerminated) string {
	switch {
	case ended.Reason == "OOMKilled":
		return "OOMKilled"
	case signalOf(ended) != 0:
		return "Signalled"
	}
	return "ExitCode"
}

// endOf says how a container ended and what it said last.
func endOf(pod *corev1.Pod, s *corev1.ContainerStatus, ended *corev1.ContainerStateTerminated) string {
	parts := []string{fmt.Sprintf("container %q ended with %s", s.Name, exit(ended))}
	if ended.Reason == "OOMKilled" {
		limit := "no limit of its own: the node or the pod ran out"
		for _, c := range pod.Spec.Containers {
			if q, ok := c.Resources.Limits[corev1.ResourceMemory]; ok && c.Name == s.Name {
				limit = "limit " + q.String()
			}
		}
		parts[0] += fmt.Sprintf(": it used more memory than it may (%s)", limit)
	} else if ended.Reason != "" && ended.Reason != "Error" {
		parts[0] += " (" + ended.Reason + ")"
	}
	if said := strings.TrimSpace(ended.Message); said != "" {
		parts = append(parts, "its last words: "+timeline.LastOf(said, maxLastWords))
	}
	return strings.Join(parts, "; ")
}

// maxLastWords bounds what is copied of a termination message into a timeline.
const maxLastWords = 1024

func exit(ended *corev1.ContainerStateTerminated) string {
	if signal := signalOf(ended); signal != 0 {
		return fmt.Sprintf("signal %d%s", signal, signalNames[signal])
	}
	return fmt.Sprintf("exit code %d", ended.ExitCode)
}

// signalOf is the signal that ended a container: runtimes report it as 128 + n.
func signalOf(ended *corev1.ContainerStateTerminated) int32 {
	if ended.Signal != 0 {
		return ended.Signal
	}
	if ended.ExitCode > 128 && ended.ExitCode <= 128+64 {
		return ended.ExitCode - 128
	}
	return 0
}

var signalNames = map[int32]string{1: " (SIGHUP)", 2: " (SIGINT)", 4: " (SIGILL)", 6: " (SIGABRT)", 7: " (SIGBUS)", 8: " (SIGFPE)", 9: " (SIGKILL)", 11: " (SIGSEGV)", 13: " (SIGPIPE)", 15: " (SIGTERM)"}

// neverStarts are the reasons of a waiting container that do not look as if they would mend themselves.
var neverStarts = map[string]string{
	"CreateContainerConfigError": "ConfigError",
	"CreateContainerError":       "ConfigError",
	"RunContainerError":          "ConfigError",
	"InvalidImageName":           "ImageError",
	"ErrImagePull":               "ImageError",
	"ImagePullBackOff":           "ImageError",
	"ErrImageNeverPull":          "ImageError",
	"ImageInspectError":          "ImageError",
	"RegistryUnavailable":        "ImageError",
	"CrashLoopBackOff":           "CrashLoop",
}

// startWarning is what keeps a pod's containers from starting.
func startWarning(pod *corev1.Pod) *Cause {
	for _, s := range append(slices.Clone(pod.Status.InitContainerStatuses), pod.Status.ContainerStatuses...) {
		waiting := s.State.Waiting
		if waiting == nil {
			continue
		}
		if reason, ok := neverStarts[waiting.Reason]; ok {
			class := Configuration
			if reason == "CrashLoop" {
				class = Application
			}
			return &Cause{class, reason, fmt.Sprintf("container %q does not start: %s", s.Name, sentence(waiting.Reason, waiting.Message))}
		}
	}
	return nil
}

// sentence joins what is said, leaving out what is empty or said twice.
func sentence(parts ...string) string {
	var said []string
	for _, p := range parts {
		if p = strings.TrimSpace(p); p != "" && !slices.Contains(said, p) {
			said = append(said, p)
		}
	}
	return strings.Join(said, ": ")
}

// latest is the later of two times.
func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// earliest is the earlier of two times that are known.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// MainContainerOf is the name of a pod's main container.
func MainContainerOf(pod *corev1.Pod) string {
	if !slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == MainContainer }) && len(pod.Spec.Containers) > 0 {
		return pod.Spec.Containers[0].Name
	}
	return MainContainer
}
