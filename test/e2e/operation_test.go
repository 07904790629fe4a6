package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensionsclient "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/sandbox"
)

// shell is the template of an operation that runs a script on the process node.
func shell(script string) *v1alpha1.RunTemplate {
	return &v1alpha1.RunTemplate{Pod: encoded(map[string]any{"spec": map[string]any{
		"terminationGracePeriodSeconds": 1,
		"containers":                    []any{map[string]any{"name": "main", "image": "none", "command": []any{"bash", "-c", script}}},
	}})}
}

func encoded(tree any) *runtime.RawExtension {
	raw, err := json.Marshal(tree)
	if err != nil {
		panic(err)
	}
	return &runtime.RawExtension{Raw: raw}
}

func values(given map[string]any) v1alpha1.Values {
	out := v1alpha1.Values{}
	for name, v := range given {
		out[name] = apiextensionsv1.JSON{Raw: encoded(v).Raw}
	}
	return out
}

func seconds(n int) *metav1.Duration {
	return &metav1.Duration{Duration: time.Duration(n) * time.Second}
}

func (s *scenario) operation(name, queue string, template *v1alpha1.RunTemplate, edits ...func(*v1alpha1.OperationSpec)) *v1alpha1.Operation {
	op := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}
	op.Spec.Queue, op.Spec.Template = queue, template
	for _, edit := range edits {
		edit(&op.Spec)
	}
	return op
}

// reach waits for an operation's phase, and gives the operation.
func (s *scenario) reach(name string, phase v1alpha1.Status) *v1alpha1.Operation {
	s.Helper()
	op := &v1alpha1.Operation{}
	s.eventually(fmt.Sprintf("operation %s is %s", name, phase), func() (bool, any) {
		err := s.objects.Get(s.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, op)
		return err == nil && op.Status.Phase == phase, op.Status
	})
	return op
}

func (s *scenario) editOperation(name string, change func(*v1alpha1.OperationSpec)) {
	s.Helper()
	edit(s, &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace}}, name, func(op *v1alpha1.Operation) { change(&op.Spec) })
}

// way is the statuses of a timeline.
func way(op *v1alpha1.Operation) string {
	var names []string
	for _, e := range op.Status.Timeline {
		names = append(names, string(e.Status))
	}
	return strings.Join(names, " ")
}

func final(op *v1alpha1.Operation) v1alpha1.TimelineEntry {
	return op.Status.Timeline[len(op.Status.Timeline)-1]
}

const plainWay = "created compiled queued scheduled starting running succeeded"

// What an operation writes to its termination message are its outputs, with their types.
func TestOperationSucceeds(t *testing.T) {
	s := begin(t, "op-succeeds")
	q := s.queue("q", seats(1))
	component := &v1alpha1.Component{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "square"}}
	component.Spec.Inputs = []v1alpha1.Input{{Name: "x", Type: "int"}, {Name: "label", Type: "string", Default: &apiextensionsv1.JSON{Raw: []byte(`"none"`)}}}
	component.Spec.Template = *shell(`printf '{"square": %d, "label": "%s"}' $(( {{ params.x }} * {{ params.x }} )) '{{ params.label }}' > "$TERMINATION_MESSAGE_PATH"`)
	component.Spec.Queue = q
	s.create(component)
	op := s.operation("squares", "", nil, func(spec *v1alpha1.OperationSpec) {
		spec.Component, spec.Params = "square", values(map[string]any{"x": 12})
	})
	s.create(op)
	op = s.reach("squares", v1alpha1.StatusSucceeded)
	require.Equal(t, plainWay, way(op))
	require.JSONEq(t, `{"square": 144, "label": "none"}`, string(encoded(op.Status.Outputs).Raw))
	require.Equal(t, q, op.Status.Queue)
	require.Equal(t, component.Generation, op.Status.Component.Generation)
	require.EqualValues(t, 0, *op.Status.ExitCode)
}

// A failure says what helps: the exit code or signal and the last words.
func TestOperationFails(t *testing.T) {
	s := begin(t, "op-fails")
	q := s.queue("q", seats(4))
	for name, c := range map[string]struct{ script, reason, message string }{
		"code":   {`echo no such file: data.csv >&2; exit 3`, "ExitCode", `container "main" ended with exit code 3; its last words: no such file: data.csv`},
		"signal": {`kill -9 $BASHPID`, "Signalled", `container "main" ended with signal 9 (SIGKILL)`},
	} {
		s.create(s.operation(name, q, shell(c.script)))
		op := s.reach(name, v1alpha1.StatusFailed)
		require.Equal(t, c.reason, final(op).Reason)
		require.Contains(t, final(op).Message, c.message)
	}
	s.create(s.operation("no-json", q, shell(`echo done > "$TERMINATION_MESSAGE_PATH"`)))
	op := s.reach("no-json", v1alpha1.StatusSucceeded)
	require.Contains(t, way(op), "warning succeeded")
}

// A failed run is tried again after a pause, in which it holds no seat, until it succeeds.
func TestOperationRetries(t *testing.T) {
	s := begin(t, "op-retries")
	q := s.queue("q", seats(1))
	s.create(s.operation("third-time", q, shell(`[ {{ globals.attempt }} = 3 ]`), func(spec *v1alpha1.OperationSpec) {
		spec.Termination = &v1alpha1.Termination{MaxRetries: ptr.To[int32](3), Backoff: &v1alpha1.Backoff{Initial: seconds(1)}}
	}))
	op := s.reach("third-time", v1alpha1.StatusSucceeded)
	require.EqualValues(t, 3, op.Status.Attempt)
	require.EqualValues(t, 2, op.Status.Retries)
	require.Equal(t, 2, strings.Count(way(op), "running retrying queued"))
}

// What is not right in a template is refused before anything runs, with its place.
func TestOperationRefused(t *testing.T) {
	s := begin(t, "op-refused")
	q := s.queue("q", seats(1))
	for name, c := range map[string]struct {
		op   *v1alpha1.Operation
		says string
	}{
		"unknown name":  {s.operation("a", q, shell(`echo {{ params.rl }}`), func(spec *v1alpha1.OperationSpec) { spec.Params = values(map[string]any{"lr": 1}) }), "did you mean params.lr?"},
		"type error":    {s.operation("b", q, shell(`echo {{ 1 + "a" }}`)), "spec.template.pod.spec.containers[0].command[2]"},
		"unknown field": {s.operation("c", q, &v1alpha1.RunTemplate{Pod: encoded(map[string]any{"spec": map[string]any{"contaniers": []any{}}})}), "contaniers"},
		"no component":  {s.operation("d", q, nil, func(spec *v1alpha1.OperationSpec) { spec.Component = "nosuch" }), "nosuch"},
		"no queue":      {s.operation("e", q+"x", shell("true")), "spec.queue"},
		"nothing":       {s.operation("f", q, nil), "either a component or a template"},
	} {
		err := s.objects.Create(t.Context(), c.op)
		require.Error(t, err, name)
		require.Contains(t, err.Error(), c.says, name)
	}
}

// It stops at any stage, and resumes with a new attempt that keeps the history.
func TestOperationStops(t *testing.T) {
	s := begin(t, "op-stops")
	q := s.queue("q", seats(1))
	stop := func(spec *v1alpha1.OperationSpec) { spec.DesiredState = v1alpha1.Stopped }
	s.create(s.operation("runs", q, shell(`sleep 600`)))
	s.reach("runs", v1alpha1.StatusRunning)
	s.create(s.operation("waits", q, shell(`true`)))
	s.reach("waits", v1alpha1.StatusQueued)
	s.editOperation("waits", stop)
	require.NotContains(t, way(s.reach("waits", v1alpha1.StatusStopped)), "running")
	s.editOperation("runs", stop)
	op := s.reach("runs", v1alpha1.StatusStopped)
	require.Contains(t, way(op), "running stopping stopped")
	s.editOperation("waits", func(spec *v1alpha1.OperationSpec) { spec.DesiredState = v1alpha1.Run })
	op = s.reach("waits", v1alpha1.StatusSucceeded)
	require.Contains(t, way(op), "stopped resuming compiled queued scheduled")
	s.editOperation("waits", func(spec *v1alpha1.OperationSpec) { spec.Restarts = 1 })
	s.eventually("it ran again", func() (bool, any) {
		op := s.reach("waits", v1alpha1.StatusSucceeded)
		return op.Status.Restarts == 1 && strings.HasSuffix(way(op), "succeeded resuming compiled queued scheduled starting running succeeded"), way(op)
	})
}

// What is too slow ends: by its timeout from when it first ran, by its queueTimeout, and by its
// startTimeout if it can't start.
func TestOperationTimes(t *testing.T) {
	s := begin(t, "op-times")
	q, shut := s.queue("q", seats(4)), s.queue("shut", seats(0))
	with := func(termination v1alpha1.Termination) func(*v1alpha1.OperationSpec) {
		return func(spec *v1alpha1.OperationSpec) { spec.Termination = &termination }
	}
	s.create(s.operation("slow", q, shell(`sleep 600`), with(v1alpha1.Termination{Timeout: seconds(1)})))
	s.create(s.operation("stuck", shut, shell(`true`), with(v1alpha1.Termination{QueueTimeout: seconds(1)})))
	noSecret := &v1alpha1.RunTemplate{Pod: encoded(map[string]any{"spec": map[string]any{"containers": []any{map[string]any{
		"name": "main", "image": "none", "command": []any{"true"},
		"env": []any{map[string]any{"name": "KEY", "valueFrom": map[string]any{"secretKeyRef": map[string]any{"name": "nosuch", "key": "k"}}}},
	}}}})}
	s.create(s.operation("secretless", q, noSecret, with(v1alpha1.Termination{StartTimeout: seconds(1), MaxRetries: ptr.To[int32](3)})))
	s.create(s.operation("brief", q, shell(`true`), with(v1alpha1.Termination{TTL: seconds(1)})))
	require.Equal(t, "TimedOut", final(s.reach("slow", v1alpha1.StatusFailed)).Reason)
	require.Equal(t, "QueueTimedOut", final(s.reach("stuck", v1alpha1.StatusFailed)).Reason)
	op := s.reach("secretless", v1alpha1.StatusFailed)
	require.Contains(t, way(op), "warning stopping failed")
	require.Contains(t, final(op).Message, `secrets "nosuch"`)
	require.EqualValues(t, 1, op.Status.Attempt, "what is configured wrongly is not tried again")
	s.eventually("what has a ttl goes, with its pod", func() (bool, any) {
		err := s.objects.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "brief"}, &v1alpha1.Operation{})
		left := slices.ContainsFunc(s.pods(t.Context()), func(p corev1.Pod) bool { return p.Labels[v1alpha1.OperationLabel] == "brief" })
		return apierrors.IsNotFound(err) && !left, err
	})
}

// An operation that needs approval queues when somebody gives it, and says who.
func TestOperationApproval(t *testing.T) {
	s := begin(t, "op-approval")
	q := s.queue("q", seats(1))
	s.create(s.operation("held", q, shell(`true`), func(spec *v1alpha1.OperationSpec) { spec.Approved = ptr.To(false) }))
	s.reach("held", v1alpha1.StatusOnSchedule)
	require.Empty(t, s.pods(t.Context()))
	s.editOperation("held", func(spec *v1alpha1.OperationSpec) { spec.Approved = ptr.To(true) })
	op := s.reach("held", v1alpha1.StatusSucceeded)
	i := slices.IndexFunc(op.Status.Timeline, func(e v1alpha1.TimelineEntry) bool { return e.Reason == "Approved" })
	require.GreaterOrEqual(t, i, 0)
	require.Contains(t, op.Status.Timeline[i].Message, "approved by "+op.Annotations[v1alpha1.ApprovedByAnnotation])
	require.NotEmpty(t, op.Annotations[v1alpha1.ApprovedByAnnotation])
}

// A Job of several pods is one operation and takes one seat.
func TestOperationJob(t *testing.T) {
	s := begin(t, "op-job")
	q := s.queue("q", seats(1))
	template := map[string]any{"spec": map[string]any{
		"parallelism": "{{ params.size }}", "completions": "{{ params.size }}", "completionMode": "Indexed",
		"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{
			"name": "main", "image": "none", "command": []any{"bash", "-c", `printf '{"index": %d}' $JOB_COMPLETION_INDEX > "$TERMINATION_MESSAGE_PATH"`},
		}}}},
	}}
	s.create(s.operation("three", q, &v1alpha1.RunTemplate{Job: encoded(template)}, func(spec *v1alpha1.OperationSpec) {
		spec.Params = values(map[string]any{"size": 3})
	}))
	op := s.reach("three", v1alpha1.StatusSucceeded)
	require.Len(t, s.pods(t.Context()), 3)
	require.NotEmpty(t, op.Status.Outputs["index"].Raw)
}

// An evicted run is repeated and uses up no retry.
func TestOperationEvicted(t *testing.T) {
	s := begin(t, "op-evicted")
	q := s.queue("q", seats(1))
	s.create(s.operation("evicted", q, shell(`[ {{ globals.attempt }} -gt 1 ] || sleep 600`), func(spec *v1alpha1.OperationSpec) {
		spec.Termination = &v1alpha1.Termination{Backoff: &v1alpha1.Backoff{Initial: seconds(1)}}
	}))
	op := s.reach("evicted", v1alpha1.StatusRunning)
	evict(s, op.Status.Run.Name)
	op = s.reach("evicted", v1alpha1.StatusSucceeded)
	require.EqualValues(t, 2, op.Status.Attempt)
	require.EqualValues(t, 0, op.Status.Retries)
	require.Contains(t, way(op), "running retrying queued")
}

// A queue whose agent names a namespace runs its operations there, and leaves nothing behind.
func TestOperationElsewhere(t *testing.T) {
	s := begin(t, "op-elsewhere")
	workers := s.namespace + "-workers"
	s.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: workers, Labels: map[string]string{v1alpha1.ManagedLabel: "true"}}})
	edit(s, &v1alpha1.Agent{}, s.agent, func(a *v1alpha1.Agent) { a.Spec.Namespace = workers })
	q := s.queue("q", seats(1))
	s.eventually("its pods run there", func() (bool, any) {
		op := s.operation("away", q, shell(`printf '{"at": "%s"}' "{{ globals.namespace }}" > "$TERMINATION_MESSAGE_PATH"`))
		_ = s.objects.Delete(t.Context(), op)
		if err := s.objects.Create(t.Context(), op); err != nil {
			return false, err
		}
		op = s.reach("away", v1alpha1.StatusSucceeded)
		return op.Status.Run.Namespace == workers, op.Status.Run
	})
	require.Empty(t, s.pods(t.Context()))
	op := s.reach("away", v1alpha1.StatusSucceeded)
	require.JSONEq(t, `"`+s.namespace+`"`, string(op.Status.Outputs["at"].Raw))
	require.NoError(t, s.objects.Delete(t.Context(), op))
	s.eventually("nothing is left of it", func() (bool, any) {
		pods := &corev1.PodList{}
		err := s.objects.List(t.Context(), pods, client.InNamespace(workers), client.MatchingLabels{v1alpha1.OperationUIDLabel: string(op.UID)})
		gone := s.objects.Get(t.Context(), client.ObjectKeyFromObject(op), &v1alpha1.Operation{})
		return err == nil && len(pods.Items) == 0 && apierrors.IsNotFound(gone), pods.Items
	})
}

// Hundreds of operations wait as objects; only those near the head of the line have pods.
func TestOperationLookAhead(t *testing.T) {
	s := begin(t, "op-ahead")
	q := s.queue("q", seats(2))
	s.editQueue(q, func(spec *v1alpha1.QueueSpec) { spec.State = v1alpha1.QueuePaused })
	const many = 300
	var ops []client.Object
	for i := range many {
		ops = append(ops, s.operation(fmt.Sprintf("op-%03d", i), q, &v1alpha1.RunTemplate{Pod: encoded(map[string]any{
			"metadata": map[string]any{"annotations": simulated("1").Annotations},
			"spec":     simulated("1").Spec,
		})}))
	}
	s.createTogether(ops)
	s.eventually("all wait", func() (bool, any) {
		list := &v1alpha1.OperationList{}
		err := s.objects.List(t.Context(), list, client.InNamespace(s.namespace))
		waiting := 0
		for i := range list.Items {
			if list.Items[i].Status.Phase == v1alpha1.StatusQueued {
				waiting++
			}
		}
		return err == nil && waiting == many && len(s.pods(t.Context())) >= 2, waiting
	})
	require.Less(t, len(s.pods(t.Context())), 160)
	late := s.operation("late", q, shell("true"), func(spec *v1alpha1.OperationSpec) { spec.Priority = ptr.To[int32](10) })
	s.create(late)
	s.editQueue(q, func(spec *v1alpha1.QueueSpec) { spec.State = v1alpha1.QueueOpen })
	s.reach("late", v1alpha1.StatusSucceeded)
	s.editQueue(q, func(spec *v1alpha1.QueueSpec) { spec.Concurrency = ptr.To[int32](100) })
	s.eventually("all end", func() (bool, any) {
		list := &v1alpha1.OperationList{}
		err := s.objects.List(t.Context(), list, client.InNamespace(s.namespace))
		left := 0
		for i := range list.Items {
			if list.Items[i].Status.Phase != v1alpha1.StatusSucceeded {
				left++
			}
		}
		return err == nil && left == 0, left
	})
}

// The controller may die at any time: nothing runs twice and nothing is lost.
func TestOperationControllerKilled(t *testing.T) {
	s := begin(t, "op-killed")
	q := s.queue("q", seats(5))
	const many = 40
	var ops []client.Object
	for i := range many {
		ops = append(ops, s.operation(fmt.Sprintf("op-%02d", i), q, shell(`sleep 0.3; printf '{"uid": "{{ globals.uid }}"}' > "$TERMINATION_MESSAGE_PATH"`)))
	}
	s.createTogether(ops)
	ended := func() (n int) {
		list := &v1alpha1.OperationList{}
		require.NoError(t, s.objects.List(t.Context(), list, client.InNamespace(s.namespace)))
		for i := range list.Items {
			if list.Items[i].Status.Phase.Final() {
				n++
			}
		}
		return n
	}
	for _, at := range []int{1, 10, 20, 30} {
		s.eventually("some end", func() (bool, any) { n := ended(); return n >= at, n })
		s.eventually("it is killed", func() (bool, any) {
			err := s.sandbox.Kill(sandbox.Controller) // it may not be back yet
			return err == nil, err
		})
	}
	s.eventually("all end", func() (bool, any) { n := ended(); return n == many, n })
	for i := range many {
		op := s.reach(fmt.Sprintf("op-%02d", i), v1alpha1.StatusSucceeded)
		require.EqualValues(t, 1, op.Status.Attempt, op.Name)
		require.Equal(t, plainWay, way(op), op.Name)
	}
	require.Len(t, s.pods(t.Context()), many)
}

// evict asks the API server to evict a pod, as drains do.
func evict(s *scenario, pod string) {
	s.Helper()
	require.NoError(s, s.client.PolicyV1().Evictions(s.namespace).Evict(s.Context(), &policyv1.Eviction{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: pod},
	}))
}

// An operation runs as an object of any kind, and its conditions tell its end.
func TestOperationObject(t *testing.T) {
	s := begin(t, "op-object")
	q := s.queue("q", seats(1))
	preserve := true
	crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: "trainings.e2e.example.com"}}
	crd.Spec = apiextensionsv1.CustomResourceDefinitionSpec{
		Group: "e2e.example.com", Scope: apiextensionsv1.NamespaceScoped,
		Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "trainings", Singular: "training", Kind: "Training", ListKind: "TrainingList"},
		Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{Name: "v1", Served: true, Storage: true, Schema: &apiextensionsv1.CustomResourceValidation{
			OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: &preserve},
		}}},
	}
	extensions, err := apiextensionsclient.NewForConfig(s.config)
	require.NoError(t, err)
	_, err = extensions.ApiextensionsV1().CustomResourceDefinitions().Create(t.Context(), crd, metav1.CreateOptions{})
	require.NoError(t, err)
	template := &v1alpha1.RunTemplate{Object: &v1alpha1.ObjectTemplate{
		Manifest: *encoded(map[string]any{"apiVersion": "e2e.example.com/v1", "kind": "Training", "spec": map[string]any{
			"workers": "{{ params.workers }}", "template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "main", "image": "none"}}}},
		}}),
		SuccessCondition: `object.status.phase == "Done"`,
		FailureCondition: `object.status.phase == "Broken"`,
	}}
	workers := func(spec *v1alpha1.OperationSpec) { spec.Params = values(map[string]any{"workers": 2}) }
	s.eventually("it says that the controller may not", func() (bool, any) {
		op := s.operation("too-early", q, template, workers)
		_ = s.objects.Delete(t.Context(), op)
		if err := s.objects.Create(t.Context(), op); err != nil {
			return false, err
		}
		op = s.reach("too-early", v1alpha1.StatusFailed)
		return final(op).Reason == "NotPermitted", final(op)
	})
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "e2e-trainings", Labels: map[string]string{"queueyard.io/aggregate-to-controller": "true"}}}
	role.Rules = []rbacv1.PolicyRule{{APIGroups: []string{"e2e.example.com"}, Resources: []string{"trainings"}, Verbs: []string{"create", "delete", "get", "list", "patch", "watch"}}}
	s.create(role)
	training := &unstructured.Unstructured{}
	training.SetGroupVersionKind(schema.GroupVersionKind{Group: "e2e.example.com", Version: "v1", Kind: "Training"})
	for phase, end := range map[string]v1alpha1.Status{"Done": v1alpha1.StatusSucceeded, "Broken": v1alpha1.StatusFailed} {
		name := strings.ToLower(phase)
		s.eventually("it runs as a Training", func() (bool, any) {
			op := &v1alpha1.Operation{}
			if err := s.objects.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: name}, op); err != nil {
				return false, s.objects.Create(t.Context(), s.operation(name, q, template, workers))
			}
			if op.Status.Phase.Final() { // the role had not reached the controller yet
				return false, s.objects.Delete(t.Context(), op)
			}
			if op.Status.Run == nil {
				return false, op.Status
			}
			err := s.objects.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: op.Status.Run.Name}, training)
			return err == nil, err
		})
		count, _, _ := unstructured.NestedInt64(training.Object, "spec", "workers")
		require.EqualValues(t, 2, count)
		scheduler, _, _ := unstructured.NestedString(training.Object, "spec", "template", "spec", "schedulerName")
		require.Equal(t, v1alpha1.SchedulerName, scheduler)
		before := training.DeepCopy()
		require.NoError(t, unstructured.SetNestedField(training.Object, phase, "status", "phase"))
		require.NoError(t, s.objects.Patch(t.Context(), training, client.MergeFrom(before)))
		s.reach(name, end)
	}
}
