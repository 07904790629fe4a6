package cli

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// someRuns are operations and workflows in all sorts of statuses.
const someRuns = `
kind: Operation
metadata: {name: train, labels: {team: vision}, annotations: {test/created: "2026-03-01T11:30:00Z"}}
spec: {queue: gpu, priority: 5, params: {rate: 0.1, name: "x"}, template: {pod: {spec: {containers: [{name: main, image: none}]}}}, termination: {maxRetries: 2}}
status:
  phase: running
  queue: gpu
  project: vision
  organization: acme
  priority: 5
  attempt: 2
  retries: 1
  requests: {cpu: "4", nvidia.com/gpu: "1"}
  run: {apiVersion: v1, kind: Pod, namespace: team, name: train-x-2}
  timeline:
  - {status: created, time: "2026-03-01T11:30:00.000000Z", reason: Created, attempt: 1}
  - {status: queued, time: "2026-03-01T11:30:00.200000Z", reason: Queued, message: waits in queue gpu, attempt: 1}
  - {status: running, time: "2026-03-01T11:35:00.000000Z", reason: Running, attempt: 1}
  - {status: retrying, time: "2026-03-01T11:40:00.000000Z", reason: ExitCode, message: "exit code 1: the last\nlines of the log", attempt: 1}
  - {status: queued, time: "2026-03-01T11:40:10.000000Z", reason: Queued, message: attempt 2 waits in queue gpu, attempt: 2}
  - {status: running, time: "2026-03-01T11:42:00.000000Z", reason: Running, attempt: 2}
---
kind: Operation
metadata: {name: done, annotations: {test/created: "2026-02-27T11:00:00Z"}}
spec: {component: trainer}
status:
  phase: succeeded
  queue: cpu
  attempt: 1
  exitCode: 0
  outputs: {loss: 0.25, best: {epoch: 3}}
  finishTime: "2026-02-27T11:02:00.000000Z"
  timeline:
  - {status: queued, time: "2026-02-27T11:00:00.000000Z", reason: Queued, message: waits in queue cpu}
  - {status: running, time: "2026-02-27T11:00:03.500000Z", reason: Running}
  - {status: succeeded, time: "2026-02-27T11:02:00.000000Z", reason: Succeeded}
---
kind: Operation
metadata: {name: broken}
spec: {queue: gpu, template: {pod: {spec: {}}}}
status:
  phase: failed
  queue: gpu
  attempt: 1
  exitCode: 3
  finishTime: "2026-03-01T11:10:00.000000Z"
  timeline:
  - {status: queued, time: "2026-03-01T11:00:00.000000Z", reason: Queued}
  - {status: failed, time: "2026-03-01T11:10:00.000000Z", reason: ExitCode, message: "exit code 3"}
---
kind: Operation
metadata: {name: held}
spec: {queue: gpu, approved: false, template: {pod: {spec: {}}}}
status:
  phase: on_schedule
  queue: gpu
  timeline: [{status: on_schedule, time: "2026-03-01T11:00:00.000000Z", reason: AwaitsApproval, message: "held until it is approved: set spec.approved to true"}]
---
kind: Operation
metadata: {name: new}
spec: {template: {pod: {spec: {}}}}
---
kind: Operation
metadata: {name: far}
spec: {queue: east, template: {pod: {spec: {}}}}
status:
  phase: queued
  queue: east
  attempt: 1
  run: {apiVersion: queueyard.io/v1alpha1, kind: Assignment, namespace: queueyard-agent-gpu-east, name: far-x-1}
  timeline: [{status: queued, time: "2026-03-01T11:50:00.000000Z", reason: Queued, message: waits in queue east}]
  conditions: [{type: Admitted, status: "False", reason: QueueFull, message: "queue east: 2/2 operations running; position 1 of 4", lastTransitionTime: "2026-03-01T11:50:02Z"}]
---
kind: Workflow
metadata: {name: sweep}
spec: {entrypoint: main, concurrency: 2, templates: [{name: main, operation: {component: trainer}}]}
status:
  phase: running
  progress: 1/40
  children: {total: 40, waiting: 2, running: 1, succeeded: 0, failed: 1, stopped: 0, skipped: 0, upstreamFailed: 0}
  problems: [{name: sweep-0, status: failed, reason: OOMKilled, message: "memory limit 1Gi"}]
  best: {name: sweep-1, index: 1, value: "0.5", params: {rate: 0.1}}
  timeline:
  - {status: queued, time: "2026-03-01T11:00:00.000000Z", reason: Created}
  - {status: running, time: "2026-03-01T11:01:00.000000Z", reason: Running}
---
kind: Workflow
metadata: {name: twin}
spec: {entrypoint: main, concurrency: 2, templates: [{name: main, operation: {component: trainer}}]}
---
kind: Operation
metadata: {name: twin}
spec: {component: trainer}
`

// someChildren are part of the workflow sweep.
const someChildren = `
kind: Workflow
metadata: {name: sweep-nested, labels: {queueyard.io/workflow: sweep, queueyard.io/workflow-uid: UID(sweep), queueyard.io/index: "3"}, ownerReferences: [{apiVersion: queueyard.io/v1alpha1, kind: Workflow, name: sweep, uid: UID(sweep)}]}
spec: {entrypoint: main, templates: [{name: main, operation: {component: trainer}}]}
status: {phase: running, progress: 0/1, children: {total: 1, waiting: 1, running: 0, succeeded: 0, failed: 0, stopped: 0, skipped: 0, upstreamFailed: 0}}
---
kind: Operation
metadata: {name: sweep-0, labels: {queueyard.io/workflow: sweep, queueyard.io/workflow-uid: UID(sweep), queueyard.io/index: "0", queueyard.io/step: measure}, ownerReferences: [{apiVersion: queueyard.io/v1alpha1, kind: Workflow, name: sweep, uid: UID(sweep)}]}
spec: {component: trainer}
status: {phase: failed, queue: gpu, timeline: [{status: failed, time: "2026-03-01T11:10:00.000000Z", reason: OOMKilled, message: "memory limit 1Gi"}]}
---
kind: Operation
metadata: {name: sweep-1, labels: {queueyard.io/workflow: sweep, queueyard.io/workflow-uid: UID(sweep), queueyard.io/index: "1"}, ownerReferences: [{apiVersion: queueyard.io/v1alpha1, kind: Workflow, name: sweep, uid: UID(sweep)}]}
spec: {component: trainer}
status: {phase: running, queue: gpu, timeline: [{status: running, time: "2026-03-01T11:20:00.000000Z", reason: Running}]}
---
kind: Operation
metadata: {name: sweep-2, labels: {queueyard.io/workflow: sweep, queueyard.io/workflow-uid: UID(sweep), queueyard.io/index: "2"}, ownerReferences: [{apiVersion: queueyard.io/v1alpha1, kind: Workflow, name: sweep, uid: UID(sweep)}]}
spec: {component: trainer}
status:
  phase: queued
  queue: gpu
  timeline: [{status: queued, time: "2026-03-01T11:20:00.000000Z", reason: Queued}]
  conditions: [{type: Admitted, status: "False", reason: QueueFull, message: "queue gpu: 4/4 operations running; position 2 of 7", lastTransitionTime: "2026-03-01T11:50:02Z"}]
`

const someGrandchildren = `
kind: Operation
metadata: {name: sweep-nested-0, labels: {queueyard.io/workflow: sweep-nested, queueyard.io/workflow-uid: UID(sweep-nested), queueyard.io/index: "0"}}
spec: {component: trainer}
status:
  phase: queued
  queue: gpu
  timeline: [{status: queued, time: "2026-03-01T11:20:00.000000Z", reason: Queued}]
  conditions: [{type: Admitted, status: "False", reason: WorkflowFull, message: "workflow sweep: 2/2 operations running; position 1 of 1", lastTransitionTime: "2026-03-01T11:50:02Z"}]
`

func beginRuns(t *testing.T) *session {
	s := begin(t)
	s.given(someRuns)
	s.given(someChildren)
	s.given(someGrandchildren)
	return s
}

func TestList(t *testing.T) {
	s := beginRuns(t)
	s.qy("list", "-n", "team")
	s.qy("list", "-n", "team", "-o", "wide", "--sort-by", "name")
	s.qy("list", "operations", "-A", "--queue", "gpu", "--no-headers", "--sort-by", "priority")
	s.qy("list", "wf", "-n", "team", "-o", "name")
	s.qy("list", "-n", "team", "--workflow", "sweep")
	s.qy("list", "-n", "team", "--workflow", "sweeep")
	s.qy("list", "ops", "-n", "team", "--owner", "workflow/sweep", "--status", "queued,running")
	s.qy("list", "-n", "team", "--children", "--status", "failed", "--sort-by", "finished")
	s.qy("list", "-n", "team", "--project", "vision", "-l", "team=vision")
	s.qy("list", "-n", "team", "-l", "team=vision", "-o", "jsonpath={.items[*].status.phase}")
	s.qy("list", "-n", "nowhere")
	s.given("{kind: Queue, metadata: {name: gpu}}")
	s.qy("list", "-n", "team", "--queue", "gup", "--project", "visoin")
	s.qy("list", "-n", "team", "--status", "runing")
	s.qy("list", "-n", "team", "--sort-by", "aeg")
	s.qy("list", "-n", "team", "-l", "a=(b")
	s.qy("list", "queues", "-n", "team")
	s.qy("list", "-n", "team", "--watch", "-o", "yaml")
	s.colours = true
	s.qy("list", "operations", "-n", "team")
}

func TestGet(t *testing.T) {
	s := beginRuns(t)
	s.qy("get", "train", "-n", "team")
	s.qy("get", "op/done", "broken", "held", "far", "-n", "team")
	s.qy("get", "sweep", "-n", "team")
	s.qy("get", "sweep-0", "-n", "team")
	s.qy("get", "op/new", "-n", "team", "-o", "yaml")
	s.qy("get", "op/new", "wf/twin", "-n", "team", "-o", "name")
	s.qy("get", "twin", "-n", "team")
	s.qy("get", "trian", "-n", "team")
	s.qy("get", "oq/train", "-n", "team")
	s.qy("get")
}

func TestStatuses(t *testing.T) {
	s := beginRuns(t)
	for _, name := range []string{"train", "done", "broken", "held", "new", "sweep"} {
		_, code := s.qy("statuses", "op/"+name, "-n", "team")
		require.Equal(t, map[string]int{"broken": codeFailed, "sweep": codeError}[name], code, name)
	}
	s.qy("statuses", "sweep", "-n", "team", "--no-headers")
	s.qy("statuses", "broken", "-n", "team", "-o", "jsonpath={.status.phase}")
	s.colours = true
	s.qy("statuses", "train", "-n", "team")
	s.qy("statuses", "broken", "-n", "team")
}

// The timeline grows while it is watched, and the exit code tells the end.
func TestStatusesWatch(t *testing.T) {
	s := beginRuns(t)
	grow := func(status v1alpha1.Status, reason string, at time.Time) {
		op := object(s, &v1alpha1.Operation{}, "team", "train")
		op.Status.Phase, op.Status.ObservedGeneration = status, op.Generation
		op.Status.Timeline = append(op.Status.Timeline, v1alpha1.TimelineEntry{Status: status, Reason: reason, Time: metav1.NewMicroTime(at), Attempt: 2})
		require.NoError(t, shared.admin.Status().Update(t.Context(), op))
	}
	go func() {
		grow(v1alpha1.StatusStopping, "Stopped", noon.Add(-2*time.Second))
		grow(v1alpha1.StatusStopped, "Stopped", noon.Add(-time.Second))
	}()
	_, code := s.qy("statuses", "train", "-n", "team", "--watch")
	require.Equal(t, codeStopped, code)
	_, code = s.qy("statuses", "done", "-n", "team", "--watch")
	require.Zero(t, code)

	// On a terminal it is drawn over itself.
	var out bytes.Buffer
	shell := s.shell()
	shell.IOStreams = genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &out}
	shell.Size = func() (int, int) { return 60, 24 }
	require.Equal(t, codeFailed, Main(t.Context(), shell, []string{"qy", "statuses", "broken", "-w", "-n", "team",
		"--kubeconfig", shared.env.Dir.Kubeconfig(), "--cache-dir", t.TempDir()}))
	require.Contains(t, out.String(), "failed")
	for _, line := range strings.Split(regexp.MustCompile(`\x1b\[\d*[A-Z]`).ReplaceAllString(out.String(), ""), "\n") {
		require.LessOrEqual(t, len([]rune(line)), 60)
	}
}

const explanation = `{"kind":"Explanation","metadata":{"name":"wait","namespace":"team"},"operation":{"kind":"Operation","name":"wait"},"pod":"wait-x-1","pods":{"waiting":1},
 "state":"Waiting","reason":"QueueFull","message":"queue gpu: 4/4 operations running; position 3 of 7","queue":"gpu","agent":"default","project":"vision","position":3,"waiting":7,"operationsAbove":4,
 "checks":[
  {"kind":"Queue","name":"gpu","limit":"4","used":"4","need":"1","ok":false},
  {"kind":"Queue","name":"gpu","resource":"nvidia.com/gpu","limit":"8","used":"7","need":"2","held":"1","ok":false},
  {"kind":"Queue","name":"gpu","resource":"queueyard.io/cost","limit":"20","used":"8500m","need":"2","ok":true},
  {"kind":"Agent","name":"default","limit":"10","used":"6","need":"1","kept":"2","keptFor":["night","cpu"],"ok":true},
  {"kind":"Project","name":"vision","limit":"-1","used":"3","need":"1","ok":true},
  {"kind":"Organization","name":"acme","limit":"60","whole":"100","used":"60","need":"1","ok":false},
  {"kind":"Organization","name":"acme","resource":"queueyard.io/cost","limit":"2500m","whole":"3500m","used":"2","need":"1","ok":false}],
 "facts":["queue gpu's budget is used up until 2026-04-01T00:00:00Z"],
 "holders":{"limit":{"kind":"Queue","name":"gpu"},"operations":4,"hidden":1,"items":[
  {"namespace":"team","kind":"Operation","name":"train","queue":"gpu","amount":"1","pods":1,"endsBy":"2026-03-01T12:20:00Z"},
  {"namespace":"team","kind":"Job","name":"nightly","queue":"gpu","amount":"1","pods":3}]},
 "estimatedStart":{"time":"2026-03-01T12:20:00Z","basis":"DeclaredRuntimes","message":"what holds the room declares how long it runs"}}`

// stateOf is the explanation of something that does not wait in its line.
func stateOf(state, message string) string {
	return `{"kind":"Explanation","operation":{"kind":"Job","name":"x"},"pod":"x","pods":{},"state":"` + state + `","reason":"R","message":"` + message + `","queue":"gpu","agent":"default",
 "checks":[{"kind":"Queue","name":"gpu","limit":"4","used":"4","need":"1","ok":true}]}`
}

func because(reason, state string) string {
	return strings.Replace(state, `"reason":"R"`, `"reason":"`+reason+`"`, 1)
}

func TestWhy(t *testing.T) {
	s := beginRuns(t)
	const root = "/apis/visibility.queueyard.io/v1alpha1/namespaces/team/"
	s.answers = map[string]string{
		root + "pods/wait-x-1/explanation":                         explanation,
		root + "pods/train-x-2/explanation":                        stateOf("Running", ""),
		root + "pods/lone/explanation":                             stateOf("Admitted", ""),
		root + "pods/wide/explanation":                             because("Unschedulable", stateOf("Admitted", "no node fits it; it keeps its room while nobody else waits for it: 0/3 nodes are available: 3 Insufficient cpu.")),
		root + "operations/crew-x-1/explanation?operationKind=Job": explanation,
		root + "pods/gated/explanation":                            stateOf("Held", "it has scheduling gates"),
		root + "operations/nightly/explanation":                    because("Unschedulable", stateOf("BackingOff", "no node fits it; its room serves others until it is tried again: 0/3 nodes are available: 3 Insufficient cpu.")),
		root + "pods/evicted/explanation":                          because("Preempted", stateOf("BackingOff", "its operation was preempted by ns/x in queue high; it waits in line again when the pods that were evicted are gone")),
		root + "operations/forbidden/explanation":                  stateOf("Refused", `queue \"gpuu\" does not exist`),
		root + "operations/over/explanation":                       `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404,"details":{"group":"visibility.queueyard.io","kind":"operations","name":"over"},"message":"no pod of Job over in namespace team waits or runs in a queue"}`,
		root + "operations/kueued/explanation":                     `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404,"details":{"group":"visibility.queueyard.io","kind":"operations","name":"kueued"},"message":"no pod of Job kueued in namespace team waits or runs in a queue"}`,
		root + "operations/elsewhere/explanation":                  `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404,"details":{"group":"visibility.queueyard.io","kind":"operations","name":"elsewhere"},"message":"no pod of Job elsewhere in namespace team waits or runs in a queue"}`,
		root + "operations/refused/explanation":                    `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404,"details":{"group":"visibility.queueyard.io","kind":"operations","name":"refused"},"message":"no pod of Job refused in namespace team waits or runs in a queue"}`,
		root + "pods/unplaced/explanation":                         because("Unschedulable", stateOf("Admitted", "no node fits it; it keeps its room while nobody else waits for it: persistentvolumeclaim nix not found")),
		root + "pods/unpulled/explanation":                         stateOf("Running", ""),
	}
	s.given(`
kind: Organization
metadata: {name: acme}
status: {withheld: "agent west, unreachable since 2026-03-01T10:30:00Z, keeps 40 of 100 operations: until it is back, or evicted because its cluster is gone for good (qy agents evict west)"}
---
kind: Operation
metadata: {name: wait, labels: {queueyard.io/workflow: sweep}, annotations: {queueyard.io/approved-by: ada}}
spec: {queue: gpu, approved: true, template: {pod: {spec: {}}}}
status:
  phase: queued
  queue: gpu
  run: {apiVersion: v1, kind: Pod, namespace: team, name: wait-x-1}
  timeline: [{status: queued, time: "2026-03-01T11:20:00.000000Z", reason: Queued}]
  conditions: [{type: Admitted, status: "False", reason: QueueFull, message: "queue gpu: 4/4 operations running; position 3 of 7", lastTransitionTime: "2026-03-01T11:50:02Z"}]
---
kind: Operation
metadata: {name: crew}
spec: {queue: gpu, template: {job: {spec: {template: {spec: {}}}}}}
status:
  phase: queued
  queue: gpu
  run: {apiVersion: batch/v1, kind: Job, namespace: team, name: crew-x-1}
  timeline: [{status: queued, time: "2026-03-01T11:20:00.000000Z", reason: Queued}]
---
kind: Operation
metadata: {name: behind}
spec: {queue: gpu, template: {pod: {spec: {}}}}
status:
  phase: queued
  queue: gpu
  timeline: [{status: queued, time: "2026-03-01T11:20:00.000000Z", reason: Queued}]
  conditions: [{type: Admitted, status: "False", reason: QueueFull, message: "queue gpu: 4/4 operations running; position 500 of 700", lastTransitionTime: "2026-03-01T11:50:02Z"}]
---
kind: Operation
metadata: {name: blind}
spec: {queue: gpu, template: {pod: {spec: {}}}}
status:
  phase: queued
  queue: gpu
  run: {apiVersion: v1, kind: Pod, namespace: team, name: blind-x-1}
  timeline: [{status: queued, time: "2026-03-01T11:20:00.000000Z", reason: Queued}]
  conditions: [{type: Admitted, status: "False", reason: QueueFull, message: "queue gpu: 4/4 operations running; position 500 of 700", lastTransitionTime: "2026-03-01T11:50:02Z"}]
---
kind: Operation
metadata: {name: crowded}
spec: {queue: gpu, template: {pod: {spec: {}}}}
status:
  phase: queued
  queue: gpu
  run: {apiVersion: v1, kind: Pod, namespace: team, name: crowded-x-1}
  timeline: [{status: queued, time: "2026-03-01T11:20:00.000000Z", reason: Queued}]
  conditions: [{type: Admitted, status: "False", reason: ResourceQuotaExceeded, message: "pods \"crowded-x-1\" is forbidden: exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2: it is made when others of the namespace have ended, or the quota is raised", lastTransitionTime: "2026-03-01T11:50:02Z"}]
---
kind: Workflow
metadata: {name: outdated}
spec: {entrypoint: main, templates: [{name: main, dag: {operations: [{name: a, template: gone}]}}]}
status:
  phase: running
  timeline: [{status: running, time: "2026-03-01T11:20:00.000000Z", reason: Running}]
  conditions: [{type: Progressing, status: "False", reason: InvalidWorkflow, message: "it is under way and no longer valid", lastTransitionTime: "2026-03-01T11:50:02Z"}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: refused, namespace: team}
spec: {parallelism: 0, template: {spec: {restartPolicy: Never, schedulerName: queueyard-scheduler, containers: [{name: main, image: none}]}}}
---
kind: Operation
metadata: {name: pausing}
spec: {queue: gpu, template: {pod: {spec: {}}}}
status:
  phase: retrying
  queue: gpu
  retryTime: "2026-03-01T12:00:40.000000Z"
  timeline: [{status: retrying, time: "2026-03-01T11:59:40.000000Z", reason: ExitCode, message: exit code 1}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: nightly, namespace: team}
spec: {suspend: true, template: {spec: {restartPolicy: Never, containers: [{name: main, image: none}]}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: forbidden, namespace: team}
spec: {suspend: true, template: {spec: {restartPolicy: Never, containers: [{name: main, image: none}]}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: over, namespace: team}
spec: {suspend: true, template: {spec: {restartPolicy: Never, containers: [{name: main, image: none}]}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: kueued, namespace: team, labels: {kueue.x-k8s.io/queue-name: main}}
spec: {suspend: true, template: {spec: {restartPolicy: Never, containers: [{name: main, image: none}]}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: elsewhere, namespace: team}
spec: {parallelism: 0, template: {spec: {restartPolicy: Never, containers: [{name: main, image: none}]}}}
---
kind: Operation
metadata: {name: unplaced}
spec: {queue: gpu, template: {pod: {spec: {}}}}
status:
  phase: unschedulable
  queue: gpu
  run: {apiVersion: v1, kind: Pod, namespace: team, name: unplaced}
  timeline: [{status: unschedulable, time: "2026-03-01T11:20:00.000000Z", reason: Unschedulable, message: "no node fits it"}]
---
kind: Operation
metadata: {name: silent}
spec: {queue: gpu, template: {pod: {spec: {}}}}
status:
  phase: unknown
  queue: gpu
  timeline: [{status: unknown, time: "2026-03-01T11:20:00.000000Z", reason: NodeLost, message: "node n1 does not answer"}]
---
apiVersion: v1
kind: Pod
metadata: {name: unpulled, namespace: team}
spec: {schedulerName: nobody, containers: [{name: main, image: none}]}
status: {containerStatuses: [{name: main, image: none, imageID: "", ready: false, restartCount: 0, state: {waiting: {reason: ImagePullBackOff, message: "Back-off pulling image none"}}}]}
---
kind: Operation
metadata: {name: ending}
spec: {queue: gpu, desiredState: Stopped, template: {pod: {spec: {}}}}
status:
  phase: stopping
  queue: gpu
  run: {apiVersion: v1, kind: Pod, namespace: team, name: ending-x-1}
  timeline: [{status: stopping, time: "2026-03-01T11:20:00.000000Z", reason: Stopped, message: its desiredState is Stopped}]
---
apiVersion: v1
kind: Pod
metadata: {name: lone, namespace: team}
spec: {schedulerName: nobody, containers: [{name: main, image: none}]}
---
apiVersion: v1
kind: Pod
metadata: {name: evicted, namespace: team}
spec: {schedulerName: nobody, containers: [{name: main, image: none}]}
---
apiVersion: v1
kind: Pod
metadata: {name: wide, namespace: team}
spec: {schedulerName: nobody, containers: [{name: main, image: none}]}
---
apiVersion: v1
kind: Pod
metadata: {name: gated, namespace: team}
spec: {schedulerName: nobody, schedulingGates: [{name: queueyard.io/workflow}], containers: [{name: main, image: none}]}
`)
	t.Cleanup(func() {
		for _, o := range []client.Object{jobKind.new(), podKind.new()} {
			require.NoError(t, shared.admin.DeleteAllOf(context.Background(), o, client.InNamespace("team")))
		}
	})
	job := &batchv1.Job{}
	require.NoError(t, shared.admin.Get(t.Context(), client.ObjectKey{Namespace: "team", Name: "refused"}, job))
	for reason, at := range map[string]time.Time{"SuccessfulCreate": noon.Add(-time.Hour), "FailedCreate": noon} {
		require.NoError(t, shared.admin.Create(t.Context(), &corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{Namespace: "team", Name: "refused." + strings.ToLower(reason)},
			InvolvedObject: corev1.ObjectReference{APIVersion: "batch/v1", Kind: "Job", Namespace: "team", Name: job.Name, UID: job.UID},
			Reason:         reason, Message: `Error creating: pods "refused-x" is forbidden: exceeded quota: few`, LastTimestamp: metav1.NewTime(at),
		}))
	}
	ending := object(s, &v1alpha1.Operation{}, "team", "ending")
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "ending-x-1", Labels: map[string]string{v1alpha1.OperationUIDLabel: string(ending.UID)}, Finalizers: []string{"example.com/archive"}},
		Spec: corev1.PodSpec{SchedulerName: "nobody", Containers: []corev1.Container{{Name: "main", Image: "none"}}}}
	require.NoError(t, shared.admin.Create(t.Context(), pod))
	require.NoError(t, shared.admin.Delete(t.Context(), pod))
	t.Cleanup(func() {
		require.NoError(t, shared.admin.Patch(context.Background(), pod, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))))
	})
	for _, name := range []string{"wait", "behind", "blind", "crowded", "outdated", "job/refused", "unplaced", "pod/unpulled", "silent", "ending", "pausing", "train", "op/done", "held", "far", "new", "sweep-nested-0", "sweep", "wf/twin",
		"job/nightly", "forbidden", "over", "kueued", "elsewhere", "pod/lone", "pod/wide", "pod/evicted", "crew", "gated", "nihgtly"} {
		s.qy("why", name, "-n", "team")
	}
	s.qy("why", "wait", "-n", "team", "-o", "json")
	s.qy("why", "job/over", "-n", "team", "-o", "yaml")
	s.qy("why", "wait", "-n", "team", "-o", "wide")
	s.colours = true
	s.qy("why", "wait", "-n", "team")
}
