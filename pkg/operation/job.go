package operation

import (
	"cmp"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// ObserveJob is what a Job and its pods tell of the run that they are.
func ObserveJob(job *batchv1.Job, pods []*corev1.Pod) Observation {
	o := observePods(pods)
	o.Deleting = job.DeletionTimestamp != nil
	if done, ok := jobCondition(job, batchv1.JobComplete); ok {
		o.Stage, o.Cause, o.Warning = Succeeded, Cause{}, nil
		o.FinishedAt = latest(o.FinishedAt, done.LastTransitionTime.Time)
		return o
	}
	if failed, ok := jobCondition(job, batchv1.JobFailed); ok {
		if o.Stage != Failed {
			o.Cause = Cause{Application, failed.Reason, sentence(failed.Message)}
		} else {
			o.Cause.Message = sentence(o.Cause.Message) + " (" + sentence(failed.Reason, failed.Message) + ")"
		}
		if failed.Reason == batchv1.JobReasonDeadlineExceeded {
			o.Cause = Cause{Deadline, failed.Reason, sentence(failed.Message)}
		}
		o.Stage, o.Warning = Failed, nil
		o.FinishedAt = latest(o.FinishedAt, failed.LastTransitionTime.Time)
		return o
	}
	return unfinished(o, job)
}

// unfinished is the observation of an owner that has not said that it ended: its pods may have
// ended, and it goes on without them or makes others.
func unfinished(o Observation, owner metav1.Object) Observation {
	if o.Deleting && len(owner.GetFinalizers()) == 1 && owner.GetFinalizers()[0] == v1alpha1.OperationFinalizer {
		if o.Abandoned = !o.ended(); o.Abandoned {
			return o
		}
		o.Stage = Gone
		if o.Cause == (Cause{}) {
			o.Cause = Cause{Infrastructure, "Deleted", "somebody deleted it"}
		}
		return o
	}
	switch o.Stage {
	case Absent:
		o.Stage = Waiting
	case Succeeded, Failed, Gone:
		o.Stage, o.Cause = Running, Cause{}
		if o.RunningAt.IsZero() {
			o.Stage = Waiting // they never ran; others will follow
		}
	}
	return o
}

func jobCondition(job *batchv1.Job, kind batchv1.JobConditionType) (batchv1.JobCondition, bool) {
	i := slices.IndexFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
		return c.Type == kind && c.Status == corev1.ConditionTrue
	})
	if i < 0 {
		return batchv1.JobCondition{}, false
	}
	return job.Status.Conditions[i], true
}

// progress orders stages by how much they say about pods that are one run.
var progress = []Stage{Absent, Gone, Succeeded, Failed, Waiting, Unschedulable, Scheduled, Starting, Lost, Running}

// observePods joins what several pods tell. The stage is that of the one that is furthest among those alive;
// the words are those of the newest that ended, the first of an indexed Job where several did.
func observePods(pods []*corev1.Pod) Observation {
	joined := Observation{Stage: Absent}
	pods = slices.Clone(pods)
	slices.SortFunc(pods, func(a, b *corev1.Pod) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), -cmp.Compare(index(a), index(b)), cmp.Compare(a.Name, b.Name))
	})
	for _, pod := range pods {
		o := ObservePod(pod)
		if slices.Index(progress, o.Stage) >= slices.Index(progress, joined.Stage) {
			joined.Stage, joined.Cause, joined.Node = o.Stage, o.Cause, o.Node
		}
		if o.Warning != nil {
			joined.Warning = o.Warning
		}
		if o.ExitCode != nil {
			joined.ExitCode, joined.Message = o.ExitCode, o.Message
		}
		joined.ScheduledAt = earliest(joined.ScheduledAt, o.ScheduledAt)
		joined.StartingAt = earliest(joined.StartingAt, o.StartingAt)
		joined.RunningAt = earliest(joined.RunningAt, o.RunningAt)
		joined.FinishedAt = latest(joined.FinishedAt, o.FinishedAt)
	}
	if joined.Stage == Running {
		joined.Warning = nil
	}
	return joined
}

// index is a pod's index in an indexed Job.
func index(pod *corev1.Pod) string {
	return pod.Annotations[batchv1.JobCompletionIndexAnnotation]
}
