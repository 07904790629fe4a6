package webhook_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

const (
	jobsWebhook       = "jobs.queueyard.io"
	jobChangesWebhook = "job-changes.queueyard.io"
)

func jobLabels(l map[string]string) func(*batchv1.Job) { return func(j *batchv1.Job) { j.Labels = l } }
func templateLabels(l map[string]string) func(*batchv1.Job) {
	return func(j *batchv1.Job) { j.Spec.Template.Labels = l }
}

func TestJobsAreStamped(t *testing.T) {
	for name, tc := range map[string]struct {
		job            *batchv1.Job
		queue, project string
	}{
		"names none":              {job: job("vision", "none"), queue: "gpu", project: "vision"},
		"on the Job":              {job: job("free", "own", jobLabels(queueLabel("cpu"))), queue: "cpu"},
		"annotation of the Job":   {job: job("free", "annotation", func(j *batchv1.Job) { j.Annotations = queueLabel("lab/gpu") }), queue: "gpu"},
		"on the template":         {job: job("free", "template", templateLabels(queueLabel("cpu"))), queue: "cpu"},
		"annotation of template":  {job: job("free", "deep", func(j *batchv1.Job) { j.Spec.Template.Annotations = queueLabel("lab/gpu") }), queue: "gpu"},
		"both the same":           {job: job("free", "both", jobLabels(queueLabel("cpu")), templateLabels(queueLabel("cpu"))), queue: "cpu"},
		"project on the template": {job: job("shared", "project", templateLabels(projectLabel("speech"))), queue: "acme-wide", project: "speech"},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, admin.Create(t.Context(), tc.job))
			for _, labels := range []map[string]string{tc.job.Labels, tc.job.Spec.Template.Labels} {
				require.Equal(t, tc.queue, labels[v1alpha1.QueueLabel])
				require.Equal(t, tc.project, labels[v1alpha1.ProjectLabel])
			}
			require.Equal(t, v1alpha1.SchedulerName, tc.job.Spec.Template.Spec.SchedulerName)
			made := podOf(t, tc.job)
			require.Equal(t, tc.queue, made.Labels[v1alpha1.QueueLabel])
			require.Equal(t, tc.project, made.Labels[v1alpha1.ProjectLabel])
			require.Equal(t, v1alpha1.SchedulerName, made.Spec.SchedulerName)
		})
	}
}

// Who moves over from Kueue is told that a Job with its label waits twice.
func TestJobOfKueueIsWarnedOf(t *testing.T) {
	var warnings bytes.Buffer
	config := rest.CopyConfig(env.Config)
	config.WarningHandler = rest.NewWarningWriter(&warnings, rest.WarningWriterOptions{})
	c, err := clientOf(config)
	require.NoError(t, err)
	require.NoError(t, c.Create(t.Context(), job("free", "plain", jobLabels(queueLabel("cpu")))))
	require.Empty(t, warnings.String())
	require.NoError(t, c.Create(t.Context(), job("free", "kueue", jobLabels(map[string]string{v1alpha1.QueueLabel: "cpu", v1alpha1.KueueLabel: "main"}))))
	require.Equal(t, "Warning: label kueue.x-k8s.io/queue-name has Kueue suspend this Job; when Kueue has admitted it, it waits in queue cpu, too: leave the label out\n", warnings.String())
	warnings.Reset()
	require.NoError(t, c.Create(t.Context(), job("free", "misspelt", jobLabels(map[string]string{"queueyard.io/queu": "cpu"}))))
	require.Equal(t, "Warning: label queueyard.io/queu is not known (did you mean queueyard.io/queue?): correct it, or leave it out\n", warnings.String())
	warnings.Reset()
	require.NoError(t, c.Create(t.Context(), pod("free", labels(map[string]string{v1alpha1.PriorityAnnotation: "5"}))))
	require.Equal(t, "Warning: label queueyard.io/priority is not read here: write it as an annotation of the pod, or of the pod template\n", warnings.String())
}

// podOf waits for the pod that Kubernetes makes for a Job.
func podOf(t *testing.T, j *batchv1.Job) *corev1.Pod {
	t.Helper()
	pods := &corev1.PodList{}
	require.Eventually(t, func() bool {
		err := admin.List(t.Context(), pods, client.InNamespace(j.Namespace), client.MatchingLabels{"job-name": j.Name})
		return err == nil && len(pods.Items) == 1
	}, time.Minute, pollEvery)
	return &pods.Items[0]
}

func TestJobsAreRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		job      *batchv1.Job
		sentence string
	}{
		"Job and template differ": {
			job:      job("free", "x", jobLabels(queueLabel("cpu")), templateLabels(queueLabel("gpu"))),
			sentence: `queueyard.io/queue is "cpu" and "gpu" in the pod template: set only one of them, or both to the same`,
		},
		"draining": {
			job:      job("free", "x", jobLabels(queueLabel("draining"))),
			sentence: `queue "draining" is draining and takes no new operations: use another queue, or set its spec.state to Open`,
		},
		"not allowed": {
			job:      job("speech", "x", templateLabels(queueLabel("gpu"))),
			sentence: `queue "gpu" is not allowed to project "speech", which may use "acme-*", "cpu": set label queueyard.io/queue to another queue`,
		},
		"node name": {
			job:      job("free", "x", func(j *batchv1.Job) { j.Spec.Template.Spec.NodeName = "n1" }),
			sentence: `spec.nodeName is "n1", but pods of namespace "free" get their node through a queue: remove spec.nodeName; to choose among nodes, set spec.nodeSelector or spec.affinity`,
		},
		"another scheduler": {
			job:      job("free", "x", func(j *batchv1.Job) { j.Spec.Template.Spec.SchedulerName = "mine" }),
			sentence: `spec.schedulerName is "mine", but pods of namespace "free" are scheduled by queueyard-scheduler: remove spec.schedulerName, or use a namespace without label queueyard.io/managed`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			requireDenied(t, admin.Create(t.Context(), tc.job), jobsWebhook, tc.sentence)
		})
	}
}

func TestStartedJobStays(t *testing.T) {
	j := job("free", "started", jobLabels(queueLabel("cpu")))
	require.NoError(t, admin.Create(t.Context(), j))
	eventually(t, j, func() bool { return j.Status.StartTime != nil })

	patch := func(queue string) error {
		before := j.DeepCopy()
		changed := j.DeepCopy()
		delete(changed.Labels, v1alpha1.QueueLabel)
		if queue != "" {
			changed.Labels[v1alpha1.QueueLabel] = queue
		}
		err := admin.Patch(t.Context(), changed, client.MergeFrom(before))
		*j = *changed
		return err
	}
	requireDenied(t, patch("gpu"), jobChangesWebhook,
		`queueyard.io/queue is "gpu" and "cpu" in the pod template: set only one of them, or both to the same; what a Job says changes only together with its pod template, while it is suspended and has not started: move the pods that wait with 'kubectl label pods -n free -l job-name=started queueyard.io/queue=gpu --overwrite', or delete the Job and create it anew`)
	require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(j), j))
	require.NoError(t, patch(""))
	require.Equal(t, "cpu", j.Labels[v1alpha1.QueueLabel], "a removed label comes back from the template")

	// The remedy of the sentence.
	p := podOf(t, j)
	p.Labels[v1alpha1.QueueLabel] = "gpu"
	require.NoError(t, admin.Update(t.Context(), p))
}

func TestSuspendedJobMovesAsAWhole(t *testing.T) {
	j := job("free", "suspended", suspended, jobLabels(queueLabel("cpu")))
	require.NoError(t, admin.Create(t.Context(), j))
	before := j.DeepCopy()
	j.Labels[v1alpha1.QueueLabel] = "gpu"
	j.Spec.Template.Labels[v1alpha1.QueueLabel] = "gpu"
	require.NoError(t, admin.Patch(t.Context(), j, client.MergeFrom(before)))
	require.Equal(t, "gpu", j.Spec.Template.Labels[v1alpha1.QueueLabel])
}

// A Job from before its namespace was managed runs on as it was, and says so when it is asked to move.
func TestJobFromBeforeManagement(t *testing.T) {
	ns := namespace("late", nil)
	require.NoError(t, admin.Create(t.Context(), ns))
	require.NoError(t, waitForServiceAccount(t.Context(), ns.Name))
	j := job(ns.Name, "early")
	require.NoError(t, admin.Create(t.Context(), j))
	eventually(t, j, func() bool { return j.Status.StartTime != nil })
	ns.Labels = managed
	require.NoError(t, admin.Update(t.Context(), ns))

	// The API server learns of the label through a watch of its own.
	require.Eventually(t, func() bool {
		before := j.DeepCopy()
		j.Labels = queueLabel("cpu")
		err := admin.Patch(t.Context(), j, client.MergeFrom(before), client.DryRunAll)
		*j = *before
		return err != nil && err.Error() == denied(jobChangesWebhook,
			`queueyard.io/queue would be "cpu", but the Job has started and its pod template says otherwise; what a Job says changes only together with its pod template, while it is suspended and has not started: move the pods that wait with 'kubectl label pods -n late -l job-name=early queueyard.io/queue=cpu --overwrite', or delete the Job and create it anew`)
	}, time.Minute, pollEvery)
	before := j.DeepCopy()
	j.Labels = map[string]string{"mine": "yes"}
	require.NoError(t, admin.Patch(t.Context(), j, client.MergeFrom(before)), "other labels are free")
}

// A file with a namespace, its project, a queue and a Job is applied as fast as the API server
// takes it: the Job gets the project's queue whatever the caches know by then.
func TestAllInOneFile(t *testing.T) {
	for i := range 30 {
		name := fmt.Sprintf("fresh-%d", i)
		require.NoError(t, admin.Create(t.Context(), namespace(name, managed)))
		require.NoError(t, admin.Create(t.Context(), queue(name, v1alpha1.QueueSpec{})))
		require.NoError(t, admin.Create(t.Context(), project(name, v1alpha1.ProjectSpec{DefaultQueue: name, Namespaces: claims(name)})))
		j := job(name, "first")
		require.NoError(t, admin.Create(t.Context(), j))
		require.Equal(t, name, j.Labels[v1alpha1.QueueLabel])
		require.Equal(t, name, j.Spec.Template.Labels[v1alpha1.ProjectLabel])
	}
}
