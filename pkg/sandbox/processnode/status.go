package processnode

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// exit says how a container ended.
type exit struct {
	code            int32
	reason, message string
}

// podStatus is the status of a pod in the making.
type podStatus struct {
	pod         *corev1.Pod
	startTime   time.Time
	initialized bool
	phase       corev1.PodPhase
	reason      string
	message     string
	init, main  []corev1.ContainerStatus
	conditions  []corev1.PodCondition
}

func newPodStatus(pod *corev1.Pod) *podStatus {
	s := &podStatus{pod: pod}
	if pod.Status.StartTime != nil {
		s.startTime = pod.Status.StartTime.Time
	}
	blank := func(containers []corev1.Container, known []corev1.ContainerStatus) []corev1.ContainerStatus {
		var statuses []corev1.ContainerStatus
		for _, c := range containers {
			status := corev1.ContainerStatus{Name: c.Name, Image: c.Image, Started: new(bool),
				State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}}}
			if len(pod.Spec.InitContainers) == 0 {
				status.State.Waiting.Reason = "ContainerCreating"
			}
			if i := slices.IndexFunc(known, func(k corev1.ContainerStatus) bool { return k.Name == c.Name }); i >= 0 {
				status = known[i]
			}
			statuses = append(statuses, status)
		}
		return statuses
	}
	s.init = blank(pod.Spec.InitContainers, pod.Status.InitContainerStatuses)
	s.main = blank(pod.Spec.Containers, pod.Status.ContainerStatuses)
	s.conditions = pod.Status.Conditions
	return s
}

func (s *podStatus) start() { s.startTime = time.Now() }

func (s *podStatus) container(name string) *corev1.ContainerStatus {
	for _, statuses := range [][]corev1.ContainerStatus{s.init, s.main} {
		for i := range statuses {
			if statuses[i].Name == name {
				return &statuses[i]
			}
		}
	}
	return &corev1.ContainerStatus{}
}

func (s *podStatus) waiting(name, reason, message string) {
	c := s.container(name)
	if c.State.Terminated != nil {
		c.LastTerminationState = corev1.ContainerState{Terminated: c.State.Terminated}
	}
	c.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	c.Ready, c.Started = false, new(bool)
}

// unwait shows the last end of a container again, which will not be run any more.
func (s *podStatus) unwait(name string) {
	c := s.container(name)
	if c.State.Waiting != nil && c.LastTerminationState.Terminated != nil {
		c.State, c.LastTerminationState = c.LastTerminationState, corev1.ContainerState{}
	}
}

func (s *podStatus) running(name, id string, at time.Time, restart int) {
	c := s.container(name)
	if c.State.Terminated != nil {
		c.LastTerminationState = corev1.ContainerState{Terminated: c.State.Terminated}
	}
	started := true
	c.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(at)}}
	c.Ready, c.Started, c.ContainerID, c.RestartCount = true, &started, id, int32(restart)
}

func (s *podStatus) terminated(name, id string, start, end time.Time, result exit) {
	c := s.container(name)
	c.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: result.code, Reason: result.reason, Message: result.message, ContainerID: id,
		StartedAt: metav1.NewTime(start), FinishedAt: metav1.NewTime(end),
	}}
	c.Started, c.ContainerID = new(bool), id
	// An init container that has done its work counts as ready.
	c.Ready = result.code == 0 && slices.ContainsFunc(s.init, func(i corev1.ContainerStatus) bool { return i.Name == name })
}

// fail ends the pod for a reason of the node's. Containers that seemed to run did not survive it.
func (s *podStatus) fail(reason, message string) {
	s.phase, s.reason, s.message = corev1.PodFailed, reason, message
	for _, statuses := range [][]corev1.ContainerStatus{s.init, s.main} {
		for i := range statuses {
			if running := statuses[i].State.Running; running != nil {
				s.terminated(statuses[i].Name, statuses[i].ContainerID, running.StartedAt.Time, time.Now(),
					exit{code: 137, reason: "ContainerStatusUnknown", message: message})
			}
		}
	}
}

func (s *podStatus) end(succeeded bool) {
	s.phase = corev1.PodFailed
	if succeeded {
		s.phase = corev1.PodSucceeded
	}
}

// compute is the status as a kubelet would write it.
func (s *podStatus) compute(now time.Time) corev1.PodStatus {
	phase := s.phase
	if phase == "" {
		phase = corev1.PodRunning
		if !s.initialized || slices.ContainsFunc(s.main, neverRan) {
			phase = corev1.PodPending
		}
	}
	status := corev1.PodStatus{
		ObservedGeneration:    s.pod.Generation,
		Phase:                 phase,
		Reason:                s.reason,
		Message:               s.message,
		HostIP:                loopback,
		HostIPs:               []corev1.HostIP{{IP: loopback}},
		PodIP:                 loopback,
		PodIPs:                []corev1.PodIP{{IP: loopback}},
		InitContainerStatuses: slices.Clone(s.init),
		ContainerStatuses:     slices.Clone(s.main),
	}
	if !s.startTime.IsZero() {
		status.StartTime = &metav1.Time{Time: s.startTime}
	}
	s.computeConditions(phase, now)
	status.Conditions = slices.Clone(s.conditions)
	return status
}

func neverRan(c corev1.ContainerStatus) bool {
	return c.State.Waiting != nil && c.LastTerminationState.Terminated == nil
}

func (s *podStatus) computeConditions(phase corev1.PodPhase, now time.Time) {
	ready := phase == corev1.PodRunning && !slices.ContainsFunc(s.main, func(c corev1.ContainerStatus) bool { return !c.Ready })
	reason := ""
	switch {
	case phase == corev1.PodSucceeded:
		reason = "PodCompleted"
	case phase == corev1.PodFailed:
		reason = "PodFailed"
	case !ready:
		reason = "ContainersNotReady"
	}
	initReason := ""
	if !s.initialized {
		initReason = "ContainersNotInitialized"
	}
	wanted := []corev1.PodCondition{
		condition(corev1.PodReadyToStartContainers, phase == corev1.PodPending || phase == corev1.PodRunning, ""),
		condition(corev1.PodInitialized, s.initialized, initReason),
		condition(corev1.ContainersReady, ready, reason),
		condition(corev1.PodReady, ready, reason),
	}
	for i := range wanted {
		w := &wanted[i]
		w.ObservedGeneration, w.LastTransitionTime = s.pod.Generation, metav1.NewTime(now)
		for _, known := range s.conditions {
			if known.Type == w.Type && known.Status == w.Status {
				w.LastTransitionTime = known.LastTransitionTime
			}
		}
	}
	s.conditions = wanted
}

func condition(kind corev1.PodConditionType, holds bool, reason string) corev1.PodCondition {
	status := corev1.ConditionFalse
	if holds {
		status = corev1.ConditionTrue
	}
	return corev1.PodCondition{Type: kind, Status: status, Reason: reason}
}
