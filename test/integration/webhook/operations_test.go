package webhook_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

const (
	operationsWebhook = "operations.queueyard.io"
	componentsWebhook = "components.queueyard.io"
	plainPod          = `{"spec":{"containers":[{"name":"main","image":"none"}]}}`
)

func runsPod(text string) *v1alpha1.RunTemplate {
	return &v1alpha1.RunTemplate{Pod: &runtime.RawExtension{Raw: []byte(text)}}
}

func op(namespace, name string, edits ...func(*v1alpha1.Operation)) *v1alpha1.Operation {
	o := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	o.Spec.Template = runsPod(plainPod)
	for _, e := range edits {
		e(o)
	}
	return o
}

func of(component string, params v1alpha1.Values) func(*v1alpha1.Operation) {
	return func(o *v1alpha1.Operation) { o.Spec.Template, o.Spec.Component, o.Spec.Params = nil, component, params }
}

func held(o *v1alpha1.Operation) { o.Spec.Approved = ptr.To(false) }

// recipe is a component that the tests of this file share.
func recipe(t *testing.T, name string, edits ...func(*v1alpha1.Component)) *v1alpha1.Component {
	t.Helper()
	c := &v1alpha1.Component{ObjectMeta: metav1.ObjectMeta{Namespace: "free", Name: name}}
	c.Spec.Inputs = []v1alpha1.Input{{Name: "n", Type: "int"}}
	c.Spec.Template = *runsPod(`{"spec":{"containers":[{"name":"main","image":"none","args":["{{ string(10 / params.n) }}"]}]}}`)
	for _, e := range edits {
		e(c)
	}
	return c
}

func n(text string) v1alpha1.Values {
	return v1alpha1.Values{"n": apiextensionsv1.JSON{Raw: []byte(text)}}
}

func TestOperationsAreStamped(t *testing.T) {
	require.NoError(t, admin.Create(t.Context(), recipe(t, "with-queue", func(c *v1alpha1.Component) { c.Spec.Queue = "lab/gpu" })))
	for name, tc := range map[string]struct {
		op             *v1alpha1.Operation
		queue, project string
	}{
		"names none":        {op("free", "none", held), "default", ""},
		"its own":           {op("free", "own", held, func(o *v1alpha1.Operation) { o.Spec.Queue = "lab/gpu" }), "lab/gpu", ""},
		"component's":       {op("free", "of", held, of("with-queue", n("2"))), "gpu", ""},
		"project's default": {op("vision", "default", held), "gpu", "vision"},
		"which project":     {op("shared", "which", held, func(o *v1alpha1.Operation) { o.Spec.Project = "speech" }), "acme-wide", "speech"},
		"generated name": {op("free", "", held, func(o *v1alpha1.Operation) {
			o.GenerateName, o.Spec.Template = "g-", runsPod(`{"metadata":{"labels":{"name":"{{ globals.name }}"}},"spec":{"containers":[{"name":"main","image":"none"}]}}`)
		}), "default", ""},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, admin.Create(t.Context(), tc.op))
			require.Equal(t, tc.queue, tc.op.Spec.Queue)
			require.Equal(t, tc.project, tc.op.Spec.Project)
		})
	}
}

func TestOperationsAreRefused(t *testing.T) {
	require.NoError(t, admin.Create(t.Context(), recipe(t, "divide")))
	for name, tc := range map[string]struct {
		op       *v1alpha1.Operation
		sentence string
	}{
		"unknown component": {op("free", "x", of("divied", n("1"))),
			`spec.component: component "divied" does not exist in namespace "free" (did you mean "divide"?): create it first, or name another`},
		"missing param":   {op("free", "x", of("divide", nil)), `spec.params.n: param "n" is missing`},
		"fails to render": {op("free", "x", of("divide", n("0"))), `spec.template.pod.spec.containers[0].args[0]: in {{ string(10 / params.n) }}`},
		"static":          {op("free", "x", func(o *v1alpha1.Operation) { o.Spec.Template = runsPod(`{"spec":{"nodeName":"{{ params.none }}"}}`) }), `spec.template.pod.spec.nodeName`},
		"no pod":          {op("free", "x", func(o *v1alpha1.Operation) { o.Spec.Template = runsPod(`{"spec":{"containerz":[]}}`) }), `containerz`},
		"draining":        {op("free", "x", func(o *v1alpha1.Operation) { o.Spec.Queue = "draining" }), `queue "draining" is draining and takes no new operations`},
		"not allowed":     {op("speech", "x", func(o *v1alpha1.Operation) { o.Spec.Queue = "gpu" }), `set spec.queue to another queue`},
		"cost":            {op("free", "x", func(o *v1alpha1.Operation) { o.Spec.Cost = "cheap" }), `"cheap" is no amount`},
		"negative duration": {op("free", "x", func(o *v1alpha1.Operation) {
			o.Spec.Termination = &v1alpha1.Termination{TTL: &metav1.Duration{Duration: -1e9}}
		}), `spec.termination.ttl is -1s, which is negative: write 0s or more, or leave it out`},
		"approved by": {op("free", "x", func(o *v1alpha1.Operation) { o.Annotations = map[string]string{v1alpha1.ApprovedByAnnotation: "me"} }), `is written when somebody sets spec.approved to true: leave it out`},
		"unknown kind": {op("free", "x", func(o *v1alpha1.Operation) { o.Spec.Template = object("example.com/v1", "Ship") }),
			`the cluster has no kind Ship in example.com/v1: install its CRD and controller`},
	} {
		t.Run(name, func(t *testing.T) {
			requireRefused(t, admin.Create(t.Context(), tc.op), operationsWebhook, tc.sentence)
		})
	}
}

// A value that its type does not take is told with its place, which the error of the decoder lacks.
func TestMisfitsAreTold(t *testing.T) {
	for kind, spec := range map[string]string{
		"Operation": `{"component": "divide", "termination": {"ttl": "7d"}}`,
		"Workflow":  `{"entrypoint": "a", "templates": [{"name": "a", "operation": {"component": "divide", "termination": {"ttl": "7d"}}}]}`,
		"Component": `{"template": {"pod": {}}, "termination": {"ttl": "7d"}}`,
	} {
		o := &unstructured.Unstructured{}
		require.NoError(t, o.UnmarshalJSON([]byte(`{"apiVersion": "queueyard.io/v1alpha1", "kind": "`+kind+`", "metadata": {"name": "misfit", "namespace": "free"}, "spec": `+spec+`}`)))
		require.ErrorContains(t, admin.Create(t.Context(), o), `termination.ttl: "7d" is no duration: write numbers with units h, m or s, such as 90s, 1h30m or 168h`)
	}
	pod := runsPod(`{"spec":{"containers":[{"name":"main","image":"none","resources":{"requests":{"cpu":"4x"}}}]}}`)
	requireRefused(t, admin.Create(t.Context(), op("free", "x", func(o *v1alpha1.Operation) { o.Spec.Template = pod })), operationsWebhook,
		`it is no Pod: spec.containers[0].resources.requests.cpu: "4x" is no quantity: write a number such as 2, 500m or 16Gi`)
}

func object(apiVersion, kind string) *v1alpha1.RunTemplate {
	return &v1alpha1.RunTemplate{Object: &v1alpha1.ObjectTemplate{
		Manifest:         runtime.RawExtension{Raw: []byte(`{"apiVersion":"` + apiVersion + `","kind":"` + kind + `","data":{}}`)},
		SuccessCondition: "true",
	}}
}

// requireRefused looks for a part of the sentence: the rest is another package's to test.
func requireRefused(t *testing.T, err error, webhook, part string) {
	t.Helper()
	require.ErrorContains(t, err, denied(webhook, ""))
	require.ErrorContains(t, err, part)
}

// as is a client of a user who has the rules in namespace free.
func as(t *testing.T, user string, rules ...rbacv1.PolicyRule) client.Client {
	t.Helper()
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: "free", Name: user}, Rules: rules}
	require.NoError(t, admin.Create(t.Context(), role))
	require.NoError(t, admin.Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: "free", Name: user},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
	}))
	config := rest.CopyConfig(env.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user}
	c, err := clientOf(config)
	require.NoError(t, err)
	return c
}

var runsOperations = rbacv1.PolicyRule{APIGroups: []string{"queueyard.io"}, Resources: []string{"operations"}, Verbs: []string{"*"}}

func TestObjectsNeedTheUsersOwnPermission(t *testing.T) {
	config := func(o *v1alpha1.Operation) { o.Spec.Template = object("v1", "ConfigMap") }
	without := as(t, "without", runsOperations)
	sentence := denied(operationsWebhook, `the operation would create a ConfigMap, and "without" may not create configmaps in namespace "free": ask for a Role that allows it, or run something else`)
	// The API server learns of roles through a watch of its own.
	require.Eventually(t, func() bool {
		err := without.Create(t.Context(), op("free", "object-without", held, config))
		return err != nil && err.Error() == sentence
	}, time.Minute, pollEvery)
	with := as(t, "with", runsOperations, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"create"}})
	require.Eventually(t, func() bool { return with.Create(t.Context(), op("free", "object-with", held, config)) == nil }, time.Minute, pollEvery)
}

func TestOperationsChange(t *testing.T) {
	o := op("free", "changes", held)
	require.NoError(t, admin.Create(t.Context(), o))
	change := func(edit func(*v1alpha1.Operation)) error {
		require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(o), o))
		before := o.DeepCopy()
		edit(o)
		return admin.Patch(t.Context(), o, client.MergeFrom(before))
	}
	for field, edit := range map[string]func(*v1alpha1.Operation){
		"template": func(o *v1alpha1.Operation) {
			o.Spec.Template = runsPod(`{"spec":{"containers":[{"name":"other","image":"none"}]}}`)
		},
		"params":      func(o *v1alpha1.Operation) { o.Spec.Params = n("3") },
		"component":   of("divide", nil),
		"environment": func(o *v1alpha1.Operation) { o.Spec.Environment = &v1alpha1.Environment{ServiceAccountName: "x"} },
	} {
		requireDenied(t, change(edit), operationsWebhook, `spec.`+field+` of operation "changes" may not change: what it runs was fixed when it was created; make a new operation, or raise spec.restarts to run this one again`)
	}
	requireRefused(t, change(func(o *v1alpha1.Operation) { o.Spec.Queue = "draining" }), operationsWebhook, `queue "draining" is draining`)
	requireRefused(t, change(func(o *v1alpha1.Operation) { o.Spec.Cost = "x" }), operationsWebhook, `"x" is no amount`)
	require.NoError(t, change(func(o *v1alpha1.Operation) { o.Spec.Queue, o.Spec.Priority, o.Spec.Cost = "cpu", ptr.To[int32](3), "2" }))
	requireDenied(t, change(func(o *v1alpha1.Operation) { o.Spec.Restarts, o.Spec.DesiredState = 1, v1alpha1.Stopped }), operationsWebhook,
		"spec.restarts grows while spec.desiredState is Stopped: set spec.desiredState to Run, too")
	require.NoError(t, change(func(o *v1alpha1.Operation) { o.Spec.Restarts = 2 }))
	requireDenied(t, change(func(o *v1alpha1.Operation) { o.Spec.Restarts = 1 }), operationsWebhook,
		"spec.restarts may only grow, and would go from 2 to 1: write 3 to run the operation again")

	forge := func(o *v1alpha1.Operation) {
		o.Annotations = map[string]string{v1alpha1.ApprovedByAnnotation: "the boss"}
	}
	requireRefused(t, change(forge), operationsWebhook, "leave it as it is")
	require.NoError(t, change(func(o *v1alpha1.Operation) { forge(o); o.Spec.Approved = ptr.To(true) }))
	require.Equal(t, "sandbox-admin", o.Annotations[v1alpha1.ApprovedByAnnotation])
	requireRefused(t, change(forge), operationsWebhook, "leave it as it is")
	requireRefused(t, change(held), operationsWebhook, `spec.approved may not become false: operation "changes" is approved and may be on its way; set spec.desiredState to Stopped to stop it`)
	require.NoError(t, change(func(o *v1alpha1.Operation) { o.Annotations = nil }))
	require.Equal(t, "sandbox-admin", o.Annotations[v1alpha1.ApprovedByAnnotation], "it comes back")
}

func TestComponentsAreRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(*v1alpha1.Component)
		part string
	}{
		"template": {func(c *v1alpha1.Component) { c.Spec.Inputs = nil }, "spec.template.pod.spec.containers[0].args[0]"},
		"inputs":   {func(c *v1alpha1.Component) { c.Spec.Inputs[0].Pattern = "(" }, "spec.inputs"},
		"cost":     {func(c *v1alpha1.Component) { c.Spec.Cost = "x" }, `"x" is no amount`},
		"termination": {func(c *v1alpha1.Component) {
			c.Spec.Termination = &v1alpha1.Termination{Timeout: &metav1.Duration{Duration: -1}}
		}, "spec.termination.timeout is -1ns"},
	} {
		t.Run(name, func(t *testing.T) {
			requireRefused(t, admin.Create(t.Context(), recipe(t, "bad", tc.edit)), componentsWebhook, tc.part)
		})
	}
	require.NoError(t, admin.Create(t.Context(), recipe(t, "queue-comes-later", func(c *v1alpha1.Component) { c.Spec.Queue = "later" })), "a warning only")
}

var forged = map[string]string{v1alpha1.OriginAnnotation: "vision", v1alpha1.QueuedTimeAnnotation: "2020-01-01T00:00:00Z"}

func TestOnlyTheControllerMarks(t *testing.T) {
	sentence := `annotation queueyard.io/origin is written by queueyard-controller alone, not by "sandbox-admin": leave it out, or create an Operation, which gets it`
	requireDenied(t, admin.Create(t.Context(), pod("free", annotations(forged))), podsWebhook, sentence)
	requireDenied(t, admin.Create(t.Context(), pod("free", annotations(forged), ownedBy("ReplicaSet"))), podsWebhook, sentence)
	for _, label := range []string{v1alpha1.OperationLabel, v1alpha1.OperationUIDLabel, v1alpha1.AttemptLabel, v1alpha1.WorkflowLabel, v1alpha1.WorkflowUIDLabel} {
		requireRefused(t, admin.Create(t.Context(), pod("free", labels(map[string]string{label: "1"}))), podsWebhook, "label "+label+" is written by")
	}
	requireDenied(t, admin.Create(t.Context(), job("free", "forged", func(j *batchv1.Job) { j.Annotations = forged })), jobsWebhook, sentence)
	requireDenied(t, admin.Create(t.Context(), job("free", "forged", func(j *batchv1.Job) { j.Spec.Template.Annotations = forged })), jobsWebhook, sentence)

	plain := pod("free")
	require.NoError(t, admin.Create(t.Context(), plain))
	plain.Annotations = forged
	requireRefused(t, admin.Update(t.Context(), plain), "pod-changes.queueyard.io", `leave it as it is`)
	j := job("free", "marked-later", suspended)
	require.NoError(t, admin.Create(t.Context(), j))
	j.Annotations = forged
	requireRefused(t, admin.Update(t.Context(), j), jobChangesWebhook, `leave it as it is`)
}

// asController is a client with the rights of the controller.
func asController(t *testing.T) client.Client {
	t.Helper()
	config, err := env.ConfigFor(t.Context(), systemNamespace, "queueyard-controller")
	require.NoError(t, err)
	controller, err := clientOf(config)
	require.NoError(t, err)
	return controller
}

// What makes an operation the child of a workflow is the controller's to say, at its creation and later.
func TestMarksOfChildren(t *testing.T) {
	controller := asController(t)
	label := func(key string) func(*v1alpha1.Operation) {
		return func(o *v1alpha1.Operation) { o.Labels = map[string]string{key: "1"} }
	}
	annotation := func(key string) func(*v1alpha1.Operation) {
		return func(o *v1alpha1.Operation) { o.Annotations = map[string]string{key: "skipped"} }
	}
	marks := map[string]func(*v1alpha1.Operation){}
	for _, key := range []string{v1alpha1.WorkflowLabel, v1alpha1.WorkflowUIDLabel, v1alpha1.IndexLabel, v1alpha1.IterationLabel, v1alpha1.StepLabel, v1alpha1.WorkflowAttemptLabel} {
		marks["label "+key] = label(key)
	}
	for _, key := range []string{v1alpha1.OutcomeAnnotation, v1alpha1.OutcomeMessageAnnotation, v1alpha1.QueuedTimeAnnotation} {
		marks["annotation "+key] = annotation(key)
	}
	mine := op("free", "child-mine", held)
	require.NoError(t, admin.Create(t.Context(), mine))
	theirs := op("free", "child-theirs", held)
	require.NoError(t, controller.Create(t.Context(), theirs))
	for mark, set := range marks {
		sentence := mark + ` is written by queueyard-controller alone, not by "sandbox-admin": `
		requireDenied(t, admin.Create(t.Context(), op("free", "forged", held, set)), operationsWebhook, sentence+"leave it out, or create a Workflow, whose children get it")
		marked := mine.DeepCopy()
		set(marked)
		requireDenied(t, admin.Patch(t.Context(), marked, client.MergeFrom(mine)), operationsWebhook, sentence+"leave it as it is")

		marked = theirs.DeepCopy()
		set(marked)
		require.NoError(t, controller.Patch(t.Context(), marked, client.MergeFrom(theirs)))
		without := marked.DeepCopy()
		without.Labels, without.Annotations = nil, nil
		requireDenied(t, admin.Patch(t.Context(), without, client.MergeFrom(marked)), operationsWebhook, sentence+"leave it as it is")
		require.NoError(t, controller.Patch(t.Context(), without, client.MergeFrom(marked)))
		theirs = without
	}
	// What never runs needs neither a queue nor a component.
	never := op("free", "never", of("no-such-component", nil), annotation(v1alpha1.OutcomeAnnotation))
	require.NoError(t, controller.Create(t.Context(), never))
	moved := never.DeepCopy()
	moved.Spec.Queue = "draining"
	require.NoError(t, admin.Patch(t.Context(), moved, client.MergeFrom(never)))
}

// What the controller makes counts against the project of the operation's namespace, also in a queue
// that drains by now; and so do the pods that Kubernetes makes for its Job.
func TestMarksOfTheController(t *testing.T) {
	controller := asController(t)
	elsewhere := op("vision", "elsewhere", held) // what is of no operation is deleted
	require.NoError(t, admin.Create(t.Context(), elsewhere))
	both := map[string]string{v1alpha1.OperationLabel: elsewhere.Name, v1alpha1.OperationUIDLabel: string(elsewhere.UID), v1alpha1.AttemptLabel: "1", v1alpha1.QueueLabel: "draining"}
	p := pod("free", annotations(forged), labels(both))
	require.NoError(t, controller.Create(t.Context(), p))
	require.Equal(t, "vision", p.Labels[v1alpha1.ProjectLabel])
	require.Equal(t, "draining", p.Labels[v1alpha1.QueueLabel])

	j := job("free", "marked", func(j *batchv1.Job) {
		j.Annotations, j.Labels, j.Spec.Template.Annotations, j.Spec.Template.Labels = forged, both, forged, both
	})
	require.NoError(t, controller.Create(t.Context(), j))
	p = podOf(t, j)
	require.Equal(t, "vision", p.Labels[v1alpha1.ProjectLabel])
	require.Equal(t, "vision", p.Annotations[v1alpha1.OriginAnnotation])
}

func TestPriorityIsANumber(t *testing.T) {
	priority := func(text string) map[string]string { return map[string]string{v1alpha1.PriorityAnnotation: text} }
	const sentence = `queueyard.io/priority: "high" is no priority: write a whole number between -2147483648 and 2147483647, or remove the annotation`
	requireRefused(t, admin.Create(t.Context(), pod("free", annotations(priority("high")))), podsWebhook, sentence)
	requireRefused(t, admin.Create(t.Context(), job("free", "x", func(j *batchv1.Job) { j.Spec.Template.Annotations = priority("high") })), jobsWebhook, sentence)
	p := pod("free", annotations(priority("-3")))
	require.NoError(t, admin.Create(t.Context(), p))
	p.Annotations = priority("high")
	requireRefused(t, admin.Update(t.Context(), p), "pod-changes.queueyard.io", sentence)
}
