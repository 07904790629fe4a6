package cli

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// plainRuns are a pod and a Job in queues, without an operation.
const plainRuns = `
apiVersion: v1
kind: Pod
metadata: {name: plain-done, namespace: plain, labels: {queueyard.io/queue: gpu}}
spec: {schedulerName: queueyard-scheduler, nodeName: n1, containers: [{name: main, image: none}]}
status:
  phase: Failed
  startTime: "2026-03-01T11:30:01Z"
  conditions: [{type: PodScheduled, status: "True", lastTransitionTime: "2026-03-01T11:30:00Z"}]
  containerStatuses: [{name: main, image: none, imageID: none, ready: false, restartCount: 0, state: {terminated: {exitCode: 3, reason: Error, startedAt: "2026-03-01T11:30:05Z", finishedAt: "2026-03-01T11:40:00Z"}}}]
---
apiVersion: v1
kind: Pod
metadata: {name: plain-waits, namespace: plain, labels: {queueyard.io/queue: gpu}}
spec: {schedulerName: queueyard-scheduler, containers: [{name: main, image: none}]}
status:
  phase: Pending
  conditions: [{type: queueyard.io/Admitted, status: "False", reason: QueueFull, message: "queue gpu: 4/4 operations running; position 3 of 17"}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: plain-job, namespace: plain, labels: {queueyard.io/queue: gpu}}
spec: {template: {metadata: {labels: {queueyard.io/queue: gpu}}, spec: {schedulerName: queueyard-scheduler, restartPolicy: Never, containers: [{name: main, image: none}]}}}
---
apiVersion: v1
kind: Pod
metadata: {name: in-no-queue, namespace: plain}
spec: {containers: [{name: main, image: none}]}
---
apiVersion: v1
kind: Pod
metadata: {name: of-an-operation, namespace: plain, labels: {queueyard.io/queue: gpu, queueyard.io/operation: train}}
spec: {schedulerName: queueyard-scheduler, containers: [{name: main, image: none}]}
`

// Pods and Jobs that are in queues without an operation are shown, awaited and stopped as operations are.
func TestPlain(t *testing.T) {
	s := begin(t)
	s.given(plainRuns)
	s.qy("list", "-n", "plain", "-o", "wide")
	s.qy("list", "pods", "-n", "plain", "--status", "failed")
	s.qy("list", "jobs", "-n", "plain", "--queue", "gpu", "-o", "name")
	s.qy("get", "plain-waits", "-n", "plain")
	_, code := s.qy("statuses", "plain-done", "-n", "plain")
	require.Equal(t, codeFailed, code)
	s.qy("statuses", "pod/plain-waits", "-n", "plain")
	_, code = s.qy("wait", "pod/plain-done", "-n", "plain")
	require.Equal(t, codeFailed, code)
	s.qy("statuses", "job/plain-job", "-n", "plain")
	s.qy("resume", "plain-job", "-n", "plain")
	s.qy("stop", "plain-job", "plain-done", "plain-waits", "-n", "plain")
	job := object(s, &batchv1.Job{}, "plain", "plain-job")
	require.True(t, *job.Spec.Suspend)
	err := shared.admin.Get(t.Context(), client.ObjectKey{Namespace: "plain", Name: "plain-waits"}, &corev1.Pod{})
	require.True(t, apierrors.IsNotFound(err), err)
	s.qy("stop", "plain-job", "-n", "plain")
	s.qy("resume", "plain-job", "-n", "plain")
	require.False(t, *object(s, &batchv1.Job{}, "plain", "plain-job").Spec.Suspend)
	s.qy("restart", "plain-job", "-n", "plain")
}

// runningJob has run since half past eleven, which only its pod knows. Kubernetes' controller leaves it as it is.
const runningJob = `
apiVersion: batch/v1
kind: Job
metadata: {name: nightly, namespace: jobs, labels: {queueyard.io/queue: gpu}}
spec: {managedBy: example.com/nobody, template: {metadata: {labels: {queueyard.io/queue: gpu}}, spec: {schedulerName: queueyard-scheduler, restartPolicy: Never, containers: [{name: main, image: none}]}}}
status: {startTime: "2026-03-01T11:00:00Z", active: 1, ready: 1}
---
apiVersion: v1
kind: Pod
metadata:
  name: nightly-1
  namespace: jobs
  labels: {queueyard.io/queue: gpu, batch.kubernetes.io/controller-uid: JOB}
  ownerReferences: [{apiVersion: batch/v1, kind: Job, name: nightly, uid: JOB, controller: true}]
spec: {schedulerName: queueyard-scheduler, nodeName: n1, containers: [{name: main, image: none}]}
status:
  phase: Running
  startTime: "2026-03-01T11:30:00Z"
  conditions: [{type: PodScheduled, status: "True", lastTransitionTime: "2026-03-01T11:30:00Z"}]
  containerStatuses: [{name: main, image: none, imageID: none, ready: true, restartCount: 0, state: {running: {startedAt: "2026-03-01T11:30:05Z"}}}]
`

// Since when a Job runs its pods tell.
func TestJobRuns(t *testing.T) {
	s := begin(t)
	job, pod, _ := strings.Cut(runningJob, "---")
	s.given(job)
	s.given(strings.ReplaceAll(pod, "JOB", string(object(s, &batchv1.Job{}, "jobs", "nightly").UID)))
	s.qy("list", "-n", "jobs")
	s.qy("list", "jobs", "-n", "jobs")
	s.qy("statuses", "nightly", "-n", "jobs")

	s.then = map[string]func(){"/apis/batch/v1/namespaces/jobs/jobs": func() {
		job := object(s, &batchv1.Job{}, "jobs", "nightly")
		job.Status.Succeeded = 1
		require.NoError(t, shared.admin.Status().Update(t.Context(), job))
	}}
	s.watch("1/1", "list", "-n", "jobs", "--watch")
}
