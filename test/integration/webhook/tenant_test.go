package webhook_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/sandbox/install"
)

// The cases of docs/security.md: what a tenant tries that has the cluster's own role edit, or admin, in its namespace.

// house is a tenant's namespace, its project and queue.
type house struct {
	namespace string
	// edit and admin are the two kinds of users it has.
	edit, admin client.Client
	// users are their names.
	editor, administrator string
}

// newHouse makes a tenant that may use queue NAME-q and no other.
func newHouse(t *testing.T, name string) *house {
	t.Helper()
	h := &house{namespace: name, editor: name + "-editor", administrator: name + "-admin"}
	all := []client.Object{
		namespace(name, managed),
		queue(name+"-q", v1alpha1.QueueSpec{Concurrency: ptr.To[int32](1)}),
		project(name, v1alpha1.ProjectSpec{DefaultQueue: name + "-q", AllowedQueues: []string{name + "-q"}, Namespaces: claims(name)}),
		bindRole(name, "edit", h.editor), bindRole(name, "queueyard-editor", h.editor), bindRole(name, "admin", h.administrator),
	}
	for _, o := range all {
		require.NoError(t, admin.Create(t.Context(), o))
	}
	require.NoError(t, waitForServiceAccount(t.Context(), name))
	h.edit, h.admin = impersonating(t, h.editor), impersonating(t, h.administrator)
	for _, c := range []client.Client{h.edit, h.admin} {
		// The API server learns of roles, and of what they aggregate, through watches of its own.
		require.Eventually(t, func() bool {
			return c.Create(t.Context(), pod(name), client.DryRunAll) == nil && c.Create(t.Context(), op(name, "may"), client.DryRunAll) == nil
		}, time.Minute, pollEvery)
	}
	return h
}

func bindRole(namespace, role, user string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: role + "-" + user},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}
}

// impersonating is a client of a user that has nothing but what roles give.
func impersonating(t *testing.T, user string) client.Client {
	t.Helper()
	config := rest.CopyConfig(env.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user}
	c, err := clientOf(config)
	require.NoError(t, err)
	return c
}

func merge(text string) client.Patch { return client.RawPatch(types.MergePatchType, []byte(text)) }

// Queues, limits, statuses, nodes and what belongs to others: no role of a tenant reaches them.
func TestTenantsHaveNoRoleFor(t *testing.T) {
	h := newHouse(t, "roles")
	neighbour := namespace("roles-neighbour", managed)
	require.NoError(t, admin.Create(t.Context(), neighbour))
	p := pod(h.namespace)
	require.NoError(t, h.edit.Create(t.Context(), p))
	o := op(h.namespace, "mine", held)
	require.NoError(t, h.edit.Create(t.Context(), o))
	q := queue(h.namespace+"-q", v1alpha1.QueueSpec{})
	inNamespace := metav1.ObjectMeta{Namespace: h.namespace, Name: "x"}

	attempts := map[string]func(context.Context, client.Client) error{
		"a queue": func(ctx context.Context, c client.Client) error {
			return c.Create(ctx, queue("x", v1alpha1.QueueSpec{}))
		},
		"a queue's limit": func(ctx context.Context, c client.Client) error {
			return c.Patch(ctx, q.DeepCopy(), merge(`{"spec":{"concurrency":100}}`))
		},
		"a queue's finalizer": func(ctx context.Context, c client.Client) error {
			return c.Patch(ctx, q.DeepCopy(), merge(`{"metadata":{"finalizers":null}}`))
		},
		"a queue's status": func(ctx context.Context, c client.Client) error {
			return c.Status().Patch(ctx, q.DeepCopy(), merge(`{"status":{"admitted":0}}`))
		},
		"a queue's end": func(ctx context.Context, c client.Client) error { return c.Delete(ctx, q.DeepCopy()) },
		"a project": func(ctx context.Context, c client.Client) error {
			return c.Patch(ctx, project(h.namespace, v1alpha1.ProjectSpec{}), merge(`{"spec":{"allowedQueues":["*"]}}`))
		},
		"an organization": func(ctx context.Context, c client.Client) error {
			return c.Create(ctx, &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "x"}})
		},
		"an agent": func(ctx context.Context, c client.Client) error {
			return c.Create(ctx, &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: "x"}})
		},
		"an assignment": func(ctx context.Context, c client.Client) error {
			return c.Create(ctx, &v1alpha1.Assignment{ObjectMeta: inNamespace})
		},
		"a mirror": func(ctx context.Context, c client.Client) error {
			return c.Create(ctx, &v1alpha1.Mirror{ObjectMeta: inNamespace})
		},
		"its namespace's label": func(ctx context.Context, c client.Client) error {
			return c.Patch(ctx, namespace(h.namespace, nil), merge(`{"metadata":{"labels":{"queueyard.io/managed":"false"}}}`))
		},
		"another namespace":       func(ctx context.Context, c client.Client) error { return c.Create(ctx, pod(neighbour.Name)) },
		"the programs' namespace": func(ctx context.Context, c client.Client) error { return c.Create(ctx, pod(systemNamespace)) },
		"the webhook's certificate": func(ctx context.Context, c client.Client) error {
			return c.Get(ctx, client.ObjectKey{Namespace: systemNamespace, Name: "queueyard-webhook-certificate"}, &corev1.Secret{})
		},
		"the programs' leases": func(ctx context.Context, c client.Client) error {
			return c.Create(ctx, &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: "queueyard-scheduler"}})
		},
		"a program's token": func(ctx context.Context, c client.Client) error {
			account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: "queueyard-controller"}}
			return c.SubResource("token").Create(ctx, account, &authenticationv1.TokenRequest{})
		},
		"the webhooks": func(ctx context.Context, c client.Client) error {
			return c.Delete(ctx, &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "queueyard"}})
		},
		"the policies": func(ctx context.Context, c client.Client) error {
			return c.Delete(ctx, &admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "queueyard-daemonsets"}})
		},
		"a node for its pod": func(ctx context.Context, c client.Client) error {
			return c.SubResource("binding").Create(ctx, p.DeepCopy(), &corev1.Binding{Target: nodeReference})
		},
		"a node for its pod, the older way": func(ctx context.Context, c client.Client) error {
			return c.Create(ctx, &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name}, Target: nodeReference})
		},
		"the end of its pod": func(ctx context.Context, c client.Client) error {
			return c.Status().Patch(ctx, p.DeepCopy(), merge(`{"status":{"phase":"Succeeded"}}`))
		},
		"more for its pod": func(ctx context.Context, c client.Client) error {
			return c.SubResource("resize").Patch(ctx, p.DeepCopy(), merge(`{"spec":{"containers":[{"name":"main","image":"none","resources":{"requests":{"cpu":"64"}}}]}}`))
		},
		"another container in its pod": func(ctx context.Context, c client.Client) error {
			return c.SubResource("ephemeralcontainers").Patch(ctx, p.DeepCopy(), merge(`{"spec":{"ephemeralContainers":[{"name":"x","image":"none"}]}}`))
		},
		"the end of its operation": func(ctx context.Context, c client.Client) error {
			return c.Status().Patch(ctx, o.DeepCopy(), merge(`{"status":{"phase":"succeeded"}}`))
		},
		"a role that it has not itself": func(ctx context.Context, c client.Client) error {
			return c.Create(ctx, &rbacv1.Role{ObjectMeta: inNamespace, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods/binding"}, Verbs: []string{"create"}}}})
		},
		"to bypass queues": func(ctx context.Context, c client.Client) error {
			return c.Create(ctx, &rbacv1.Role{ObjectMeta: inNamespace, Rules: []rbacv1.PolicyRule{{APIGroups: []string{"queueyard.io"}, Resources: []string{"queues"}, Verbs: []string{"bypass"}}}})
		},
	}
	for what, attempt := range attempts {
		for user, c := range map[string]client.Client{h.editor: h.edit, h.administrator: h.admin} {
			err := attempt(t.Context(), c)
			require.True(t, apierrors.IsForbidden(err), "%s, by %s: %v", what, user, err)
			require.NotContains(t, err.Error(), "admission webhook", "%s is a matter of roles", what)
		}
	}
	// Who waits in a queue is not theirs to see either; why their own waits is.
	for path, want := range map[[2]string]bool{{"queues", "pendingoperations"}: false, {"pods", "explanation"}: true, {"operations", "explanation"}: true} {
		for _, c := range []client.Client{h.edit, h.admin} {
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
				Group: "visibility.queueyard.io", Resource: path[0], Subresource: path[1], Verb: "get", Namespace: map[bool]string{true: h.namespace}[want]}}}
			require.NoError(t, c.Create(t.Context(), review))
			require.Equal(t, want, review.Status.Allowed, path)
		}
	}
	mayActAs(t, h.edit, h.namespace, "default", true)
	mayActAs(t, h.edit, systemNamespace, "queueyard-controller", false)
}

// mayActAs asks whether a user may act as a service account.
func mayActAs(t *testing.T, c client.Client, namespace, account string, want bool) {
	t.Helper()
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
		Resource: "serviceaccounts", Verb: "impersonate", Namespace: namespace, Name: account}}}
	require.NoError(t, c.Create(t.Context(), review))
	require.Equal(t, want, review.Status.Allowed, "%s/%s", namespace, account)
}

// Where a role reaches, admission says no.
func TestTenantsStayInTheirQueue(t *testing.T) {
	h, neighbour := newHouse(t, "stay"), newHouse(t, "stay-neighbour")
	theirs := op(neighbour.namespace, "theirs", held)
	require.NoError(t, neighbour.edit.Create(t.Context(), theirs))
	mark := func(key, value string) map[string]string { return map[string]string{key: value} }
	as := func(o client.Object) edit {
		return func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "queueyard.io/v1alpha1", Kind: "Operation", Name: o.GetName(), UID: o.GetUID(), Controller: ptr.To(true)}}
		}
	}
	for name, tc := range map[string]struct {
		object  client.Object
		webhook string
		part    string
	}{
		"queue by label":        {pod(h.namespace, labels(queueLabel("stay-neighbour-q"))), podsWebhook, `queue "stay-neighbour-q" is not allowed to project "stay"`},
		"queue by annotation":   {pod(h.namespace, annotations(queueLabel("cpu"))), podsWebhook, `queue "cpu" is not allowed to project "stay"`},
		"queue of a Job":        {job(h.namespace, "x", jobLabels(queueLabel("cpu"))), jobsWebhook, `queue "cpu" is not allowed to project "stay"`},
		"queue of a template":   {job(h.namespace, "x", templateLabels(queueLabel("cpu"))), jobsWebhook, `queue "cpu" is not allowed to project "stay"`},
		"queue of an operation": {op(h.namespace, "x", func(o *v1alpha1.Operation) { o.Spec.Queue = "cpu" }), operationsWebhook, `queue "cpu" is not allowed to project "stay"`},
		"project":               {pod(h.namespace, labels(projectLabel("stay-neighbour"))), podsWebhook, `project "stay-neighbour" does not claim namespace "stay"`},
		"project, annotated":    {pod(h.namespace, annotations(projectLabel("stay-neighbour"))), podsWebhook, `project "stay-neighbour" does not claim namespace "stay"`},
		"project of operation":  {op(h.namespace, "x", func(o *v1alpha1.Operation) { o.Spec.Project = "stay-neighbour" }), operationsWebhook, `project "stay-neighbour" does not claim namespace "stay"`},
		"node":                  {pod(h.namespace, onNode("n1")), podsWebhook, `remove spec.nodeName`},
		"scheduler":             {pod(h.namespace, func(p *corev1.Pod) { p.Spec.SchedulerName = "mine" }), podsWebhook, `remove spec.schedulerName`},
		"static pod":            {pod(h.namespace, onNode("n1"), annotations(mark(corev1.MirrorPodAnnotationKey, "x"))), podsWebhook, `remove spec.nodeName`},
		"pod of a DaemonSet":    {pod(h.namespace, onNode("n1"), ownedBy("DaemonSet")), podsWebhook, `remove spec.nodeName`},
		"another's origin":      {pod(h.namespace, annotations(mark(v1alpha1.OriginAnnotation, neighbour.namespace)), as(theirs)), podsWebhook, `leave it out`},
		"another's operation":   {pod(h.namespace, labels(mark(v1alpha1.OperationUIDLabel, string(theirs.UID))), as(theirs)), podsWebhook, `leave it out`},
		"an older place":        {pod(h.namespace, annotations(mark(v1alpha1.QueuedTimeAnnotation, "2020-01-01T00:00:00Z"))), podsWebhook, `leave it out`},
		"an assignment":         {pod(h.namespace, annotations(mark(v1alpha1.AssignmentAnnotation, "x"))), podsWebhook, `leave it out`},
		"a workflow":            {pod(h.namespace, labels(mark(v1alpha1.WorkflowUIDLabel, "x"))), podsWebhook, `leave it out`},
		"a copy": {op(h.namespace, "x", func(o *v1alpha1.Operation) { o.Annotations = mark(v1alpha1.AssignmentAnnotation, "x") }), operationsWebhook,
			`leave it out`},
		"an outcome": {op(h.namespace, "x", func(o *v1alpha1.Operation) { o.Annotations = mark(v1alpha1.OutcomeAnnotation, "succeeded") }), operationsWebhook,
			`leave it out`},
		"approval": {op(h.namespace, "x", func(o *v1alpha1.Operation) { o.Annotations = mark(v1alpha1.ApprovedByAnnotation, "boss") }), operationsWebhook,
			`leave it out`},
	} {
		t.Run(name, func(t *testing.T) {
			requireRefused(t, h.edit.Create(t.Context(), tc.object), tc.webhook, tc.part)
		})
	}
	t.Run("an owner that is another's operation is no mark", func(t *testing.T) {
		p := pod(h.namespace, as(theirs))
		require.NoError(t, h.edit.Create(t.Context(), p))
		require.Equal(t, "stay-q", p.Labels[v1alpha1.QueueLabel])
		require.Equal(t, "stay", p.Labels[v1alpha1.ProjectLabel])
	})
	t.Run("a Deployment's pods", func(t *testing.T) {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: "x"}}
		d.Spec.Selector = metav1.SetAsLabelSelector(mark("a", "b"))
		d.Spec.Template.Labels = mark("a", "b")
		d.Spec.Template.Spec = pod(h.namespace, onNode("n1")).Spec
		require.NoError(t, h.edit.Create(t.Context(), d))
		eventually(t, d, func() bool {
			for _, c := range d.Status.Conditions {
				if c.Type == appsv1.DeploymentReplicaFailure && strings.Contains(c.Message, "remove spec.nodeName") {
					return true
				}
			}
			return false
		})
	})
}

// What exists does not become what could not have been created.
func TestTenantsChangeNothingOfTheirQueue(t *testing.T) {
	h := newHouse(t, "change")
	runs := pod(h.namespace)
	require.NoError(t, h.edit.Create(t.Context(), runs))
	require.NoError(t, bind(t, scheduler(t), runs))
	waits := pod(h.namespace)
	require.NoError(t, h.edit.Create(t.Context(), waits))
	const webhook = "pod-changes.queueyard.io"
	for text, part := range map[string]string{
		`{"metadata":{"labels":{"queueyard.io/queue":"cpu"}}}`:                                     `may not change from "change-q" to "cpu"`,
		`{"metadata":{"labels":{"queueyard.io/queue":null}}}`:                                      `may not change from "change-q" to ""`,
		`{"metadata":{"labels":{"queueyard.io/project":null}}}`:                                    `may not change`,
		`{"metadata":{"annotations":{"queueyard.io/cost":"0"}}}`:                                   `may not change`,
		`{"metadata":{"annotations":{"queueyard.io/queued-time":"2020-01-01T00:00:00Z"}}}`:         `leave it as it is`,
		`{"metadata":{"labels":{"queueyard.io/operation-uid":"x"}}}`:                               `leave it as it is`,
		`{"metadata":{"annotations":{"queueyard.io/origin":"kube-system"}}}`:                       `leave it as it is`,
		`{"metadata":{"annotations":{"queueyard.io/assignment":"x"},"labels":{"a":"b"}}}`:          `leave it as it is`,
		`{"metadata":{"labels":{"queueyard.io/workflow-uid":"x"},"annotations":{"other":"fine"}}}`: `leave it as it is`,
	} {
		requireRefused(t, h.edit.Patch(t.Context(), runs.DeepCopy(), merge(text)), webhook, part)
	}
	requireRefused(t, h.edit.Patch(t.Context(), waits.DeepCopy(), merge(`{"metadata":{"labels":{"queueyard.io/queue":"cpu"}}}`)), webhook, `queue "cpu" is not allowed to project "change"`)
	requireRefused(t, h.edit.Patch(t.Context(), waits.DeepCopy(), merge(`{"metadata":{"labels":{"queueyard.io/project":"vision"}}}`)), webhook, `project "vision" does not claim namespace "change"`)
	// Kubernetes itself keeps these.
	for _, text := range []string{`{"spec":{"nodeName":"n1"}}`, `{"spec":{"schedulerName":"default-scheduler"}}`, `{"spec":{"schedulingGates":[{"name":"x"}]}}`} {
		require.True(t, apierrors.IsInvalid(h.edit.Patch(t.Context(), waits.DeepCopy(), merge(text))), text)
	}

	t.Run("roles that the cluster may add", func(t *testing.T) {
		role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: "more"}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"pods/binding", "bindings"}, Verbs: []string{"create"}},
			{APIGroups: []string{""}, Resources: []string{"pods/ephemeralcontainers"}, Verbs: []string{"patch"}},
		}}
		require.NoError(t, admin.Create(t.Context(), role))
		bound := bindRole(h.namespace, "more", h.editor)
		bound.RoleRef.Kind = "Role"
		require.NoError(t, admin.Create(t.Context(), bound))
		require.Eventually(t, func() bool {
			err := bind(t, h.edit, waits)
			return err != nil && strings.Contains(err.Error(), `is bound by queueyard-scheduler only, not by "change-editor": let the scheduler place it, or raise the limits of its queue`)
		}, time.Minute, pollEvery)

		container := `{"name":"x","image":"none"%s}`
		asking := strings.Replace(container, "%s", `,"resources":{"requests":{"cpu":"64"}}`, 1)
		patch := func(c string) error {
			return h.edit.SubResource("ephemeralcontainers").Patch(t.Context(), runs.DeepCopy(), merge(`{"spec":{"ephemeralContainers":[`+c+`]}}`))
		}
		require.True(t, apierrors.IsInvalid(patch(asking)), "an ephemeral container asks for nothing")
		require.NoError(t, patch(strings.Replace(container, "%s", "", 1)), "and needs no room")
	})
	t.Run("the gate of a workflow", func(t *testing.T) {
		gated := pod(h.namespace, labels(map[string]string{v1alpha1.OperationUIDLabel: "u", v1alpha1.WorkflowUIDLabel: "w"}), func(p *corev1.Pod) {
			p.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: v1alpha1.WorkflowGate}, {Name: "mine"}}
		})
		controller := asController(t)
		require.NoError(t, controller.Create(t.Context(), gated))
		open := merge(`{"spec":{"schedulingGates":null}}`)
		refusesGate := func(err error) bool {
			return err != nil && strings.Contains(err.Error(), `scheduling gate queueyard.io/workflow of pod "`+gated.Name+`" is removed by queueyard-controller alone, not by "change-editor": raise the concurrency or quota of its workflow, or wait`)
		}
		// The API server compiles policies in its own time.
		require.Eventually(t, func() bool { return refusesGate(h.edit.Patch(t.Context(), gated.DeepCopy(), open, client.DryRunAll)) }, time.Minute, pollEvery)
		require.NoError(t, h.edit.Patch(t.Context(), gated.DeepCopy(), merge(`{"spec":{"schedulingGates":[{"name":"queueyard.io/workflow"}]}}`)), "another gate is nobody's")
		require.NoError(t, controller.Patch(t.Context(), gated.DeepCopy(), open))
	})
	t.Run("the finalizer of a run", func(t *testing.T) {
		o := op(h.namespace, "finalized")
		require.NoError(t, h.edit.Create(t.Context(), o))
		first := runOf(t, h, o)
		require.NoError(t, h.edit.Patch(t.Context(), first.DeepCopy(), merge(`{"metadata":{"finalizers":null}}`)))
		require.NoError(t, h.edit.Delete(t.Context(), first.DeepCopy(), client.GracePeriodSeconds(0)))
		// It costs the tenant its run and nobody else anything: the operation is there once more, with one pod or none.
		require.Eventually(t, func() bool {
			pods := &corev1.PodList{}
			require.NoError(t, admin.List(t.Context(), pods, client.InNamespace(h.namespace), client.MatchingLabels{v1alpha1.OperationLabel: o.Name}))
			require.LessOrEqual(t, len(pods.Items), 1)
			require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(o), o))
			return o.Status.Phase.Final() || len(pods.Items) == 1 && pods.Items[0].UID != first.UID
		}, time.Minute, pollEvery)
	})
}

// runOf waits for the pod of an operation.
func runOf(t *testing.T, h *house, o *v1alpha1.Operation) *corev1.Pod {
	t.Helper()
	pods := &corev1.PodList{}
	require.Eventually(t, func() bool {
		err := h.edit.List(t.Context(), pods, client.InNamespace(o.Namespace), client.MatchingLabels{v1alpha1.OperationLabel: o.Name})
		return err == nil && len(pods.Items) == 1
	}, time.Minute, pollEvery)
	return &pods.Items[0]
}

// A DaemonSet's pods are on nodes that nobody chose: whoever writes one must be trusted with that.
func TestTenantsMakeNoDaemonSets(t *testing.T) {
	h := newHouse(t, "daemons")
	set := func(name string) *appsv1.DaemonSet {
		d := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: name}}
		d.Spec.Selector = metav1.SetAsLabelSelector(map[string]string{"a": name})
		d.Spec.Template.Labels = d.Spec.Selector.MatchLabels
		d.Spec.Template.Spec = pod(h.namespace).Spec
		return d
	}
	refused := func(err error, name, user string) bool {
		return apierrors.IsForbidden(err) && strings.Contains(err.Error(), `the pods of DaemonSet "`+name+`" would go to every node past the queues, and "`+user+
			`" may not bypass queues: use a Job or a Deployment, or ask for ClusterRole queueyard-admin (verb bypass on queues.queueyard.io)`)
	}
	require.Eventually(t, func() bool { return refused(h.edit.Create(t.Context(), set("x"), client.DryRunAll), "x", h.editor) }, time.Minute, pollEvery)
	require.True(t, refused(h.admin.Create(t.Context(), set("x")), "x", h.administrator))
	require.NoError(t, admin.Create(t.Context(), set("given")), "a cluster administrator")
	require.True(t, refused(h.edit.Patch(t.Context(), set("given"), merge(`{"spec":{"minReadySeconds":5}}`)), "given", h.editor))
	require.NoError(t, h.edit.Patch(t.Context(), set("given"), merge(`{"metadata":{"labels":{"mine":"yes"}}}`)), "its labels change nothing")

	bound := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "daemons-trusted"},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "queueyard-admin"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: h.editor}}}
	require.NoError(t, admin.Create(t.Context(), bound))
	require.Eventually(t, func() bool { return h.edit.Create(t.Context(), set("trusted"), client.DryRunAll) == nil }, time.Minute, pollEvery)
	require.NoError(t, h.edit.Create(t.Context(), queue("daemons-by-admin", v1alpha1.QueueSpec{})), "and has the rest of the role")
}

// The controller makes objects in a user's place: only those that the user may make where they are made.
func TestTenantsBorrowNoRights(t *testing.T) {
	h := newHouse(t, "borrow")
	shared := namespace("borrow-shared", managed)
	agent := &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: "borrow"}, Spec: v1alpha1.AgentSpec{Namespace: shared.Name}}
	elsewhere := queue("borrow-elsewhere", v1alpha1.QueueSpec{Agent: agent.Name})
	for _, o := range []client.Object{shared, agent, elsewhere} {
		require.NoError(t, admin.Create(t.Context(), o))
	}
	require.NoError(t, admin.Patch(t.Context(), project(h.namespace, v1alpha1.ProjectSpec{}), merge(`{"spec":{"allowedQueues":["borrow-*"]}}`)))
	config := object("v1", "ConfigMap")
	const may = `may not create configmaps in namespace "borrow-shared": ask for a Role that allows it, or run something else`
	inQueue := func(name string) *v1alpha1.Operation {
		return op(h.namespace, "config", held, func(o *v1alpha1.Operation) { o.Spec.Template, o.Spec.Queue = config, name })
	}
	require.Eventually(t, func() bool {
		err := h.edit.Create(t.Context(), inQueue(elsewhere.Name), client.DryRunAll)
		return err != nil && err.Error() == denied(operationsWebhook, `the operation would create a ConfigMap, and "borrow-editor" `+may)
	}, time.Minute, pollEvery)
	own := inQueue(h.namespace + "-q")
	require.NoError(t, h.edit.Create(t.Context(), own), "in its own namespace it may")
	requireRefused(t, h.edit.Patch(t.Context(), own.DeepCopy(), merge(`{"spec":{"queue":"borrow-elsewhere"}}`)), operationsWebhook, may)

	// A component may be in use already when it is made another kind.
	binding := object("rbac.authorization.k8s.io/v1", "RoleBinding")
	const mayBind = `the operation would create a RoleBinding, and "borrow-editor" may not create rolebindings.rbac.authorization.k8s.io in namespace "borrow"`
	c := recipe(t, "kind", func(c *v1alpha1.Component) {
		c.Namespace, c.Spec.Inputs, c.Spec.Template = h.namespace, nil, *runsPod(plainPod)
	})
	require.NoError(t, h.edit.Create(t.Context(), c))
	changed := c.DeepCopy()
	changed.Spec.Template = *binding
	err := h.edit.Patch(t.Context(), changed, client.MergeFrom(c))
	require.ErrorContains(t, err, mayBind)

	// An operation from before its namespace was managed was never looked at.
	late := namespace("borrow-late", nil)
	require.NoError(t, admin.Create(t.Context(), late))
	require.NoError(t, admin.Create(t.Context(), bindRole(late.Name, "edit", h.editor)))
	early := op(late.Name, "early", held, func(o *v1alpha1.Operation) { o.Spec.Template = binding })
	require.Eventually(t, func() bool { return h.edit.Create(t.Context(), early) == nil }, time.Minute, pollEvery)
	resting := op(late.Name, "resting", held, func(o *v1alpha1.Operation) { o.Spec.Template, o.Spec.DesiredState = binding, v1alpha1.Stopped })
	require.NoError(t, h.edit.Create(t.Context(), resting))
	require.NoError(t, admin.Patch(t.Context(), late, merge(`{"metadata":{"labels":{"queueyard.io/managed":"true"}}}`)))
	for o, change := range map[*v1alpha1.Operation]string{early: `{"spec":{"restarts":1}}`, resting: `{"spec":{"desiredState":"Run"}}`} {
		require.Eventually(t, func() bool {
			err := h.edit.Patch(t.Context(), o.DeepCopy(), merge(change), client.DryRunAll)
			return err != nil && strings.Contains(err.Error(), `may not create rolebindings.rbac.authorization.k8s.io in namespace "borrow-late"`)
		}, time.Minute, pollEvery)
	}
}

// Objects that are as large as the API server takes are answered, and others after them.
func TestTenantsSendHugeObjects(t *testing.T) {
	h := newHouse(t, "huge")
	const most = 1000 << 10
	long := strings.Repeat("x", most)
	steps := &strings.Builder{}
	for steps.Len() < most {
		steps.WriteString("    - {name: s" + strconv.Itoa(steps.Len()) + ", template: job}\n")
	}
	// As many steps as there is room for, in DAGs of as many as the schema allows.
	dags, uses := &strings.Builder{}, &strings.Builder{}
	for i := 0; dags.Len() < most; i++ {
		uses.WriteString("    - {name: d" + strconv.Itoa(i) + ", template: dag" + strconv.Itoa(i) + "}\n")
		dags.WriteString("- name: dag" + strconv.Itoa(i) + "\n  dag:\n    operations:\n")
		for k := range 1000 {
			dags.WriteString("    - {name: s" + strconv.Itoa(k) + ", template: job}\n")
		}
	}
	const aJob = "- {name: job, operation: {template: {pod: {spec: {containers: [{name: main, image: none}]}}}}}\n"
	runs := func(image string) func(*v1alpha1.Operation) {
		return func(o *v1alpha1.Operation) {
			o.Spec.Template = runsPod(`{"spec":{"containers":[{"name":"main","image":"` + image + `"}]}}`)
		}
	}
	for name, o := range map[string]client.Object{
		"a param":          op(h.namespace, "param", held, func(o *v1alpha1.Operation) { o.Spec.Params = n(`"` + long + `"`) }),
		"a deep param":     op(h.namespace, "deep", held, func(o *v1alpha1.Operation) { o.Spec.Params = n(strings.Repeat("[", 5000) + strings.Repeat("]", 5000)) }),
		"an expression":    op(h.namespace, "expression", held, runs("{{ "+strings.Repeat("1+", most/2)+"1 }}")),
		"many expressions": op(h.namespace, "expressions", held, runs(strings.Repeat("{{1}}", most/5))),
		"brackets":         op(h.namespace, "brackets", held, runs("{{ "+strings.Repeat("(", most)+" }}")),
		"a queue's name":   pod(h.namespace, annotations(queueLabel(long[:200<<10]))),
		"a priority": job(h.namespace, "job", func(j *batchv1.Job) {
			j.Spec.Template.Annotations = map[string]string{v1alpha1.PriorityAnnotation: long[:200<<10]}
		}),
		"steps": flow(t, h.namespace, "steps", "entrypoint: main\ntemplates:\n- name: main\n  dag:\n    operations:\n"+steps.String()+aJob),
		"DAGs":  flow(t, h.namespace, "dags", "entrypoint: main\ntemplates:\n- name: main\n  dag:\n    operations:\n"+uses.String()+dags.String()+aJob),
		"a search space": flow(t, h.namespace, "grid", "entrypoint: main\ntemplates:\n- name: main\n  matrix: {template: job, grid: {params: {"+
			"a: {kind: range, value: [0, 1000000000000, 1]}, b: {kind: range, value: [0, 1000000000000, 1]}}}}\n"+aJob),
	} {
		err := h.edit.Create(t.Context(), o, client.DryRunAll)
		if err != nil {
			require.NotContains(t, err.Error(), "failed calling webhook", name)
			require.Less(t, len(err.Error()), 16<<10, "%s: what is refused is not repeated", name)
		}
		t.Logf("%s: %.200v", name, err)
	}
	require.NoError(t, h.edit.Create(t.Context(), pod(h.namespace)), "the webhook is there")
}

// What a pod says of itself is believed, until a policy says otherwise: the one of the examples.
func TestDeclarationsCanBeForbidden(t *testing.T) {
	h := newHouse(t, "declare")
	declares := map[string]client.Object{
		"cost":        pod(h.namespace, annotations(map[string]string{v1alpha1.CostLabel: "0"})),
		"cost label":  pod(h.namespace, labels(map[string]string{v1alpha1.CostLabel: "0"})),
		"preemptible": pod(h.namespace, annotations(map[string]string{v1alpha1.PreemptibleAnnotation: "false"})),
		"Job":         job(h.namespace, "x", func(j *batchv1.Job) { j.Spec.Template.Annotations = map[string]string{v1alpha1.CostLabel: "0"} }),
		"operation":   op(h.namespace, "x", func(o *v1alpha1.Operation) { o.Spec.Cost = "0" }),
	}
	for name, o := range declares {
		require.NoError(t, h.edit.Create(t.Context(), o.DeepCopyObject().(client.Object), client.DryRunAll), name)
	}
	before := pod(h.namespace, annotations(map[string]string{v1alpha1.CostLabel: "0"}), func(p *corev1.Pod) { p.Finalizers = []string{"example.com/x"} })
	require.NoError(t, h.edit.Create(t.Context(), before))
	text, err := os.ReadFile("../../../manifests/examples/security/declarations.yaml")
	require.NoError(t, err)
	require.NoError(t, install.Manifest(t.Context(), env.Config, text))
	t.Cleanup(func() {
		for _, kind := range []string{"ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy"} {
			o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind}}
			o.SetName("queueyard-declarations")
			require.NoError(t, admin.Delete(context.Background(), o))
		}
	})
	for name, o := range declares {
		require.Eventually(t, func() bool {
			err := h.edit.Create(t.Context(), o.DeepCopyObject().(client.Object), client.DryRunAll)
			return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "are not for tenants: leave them out")
		}, time.Minute, pollEvery, name)
	}
	for name, o := range map[string]client.Object{
		"priority class": pod(h.namespace, func(p *corev1.Pod) { p.Spec.PriorityClassName = "system-node-critical" }),
		"devices": pod(h.namespace, func(p *corev1.Pod) {
			p.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "gpu", ResourceClaimName: ptr.To("gpu")}}
		}),
	} {
		err := h.edit.Create(t.Context(), o, client.DryRunAll)
		require.True(t, apierrors.IsForbidden(err) && strings.Contains(err.Error(), "are not for tenants: the first evicts others"), "%s: %v", name, err)
		require.NoError(t, admin.Create(t.Context(), o, client.DryRunAll), name)
	}
	require.NoError(t, h.edit.Create(t.Context(), pod(h.namespace)), "what declares nothing goes in")
	require.NoError(t, h.edit.Patch(t.Context(), before, merge(`{"metadata":{"finalizers":null}}`)), "what was there may end")
	require.NoError(t, h.edit.Create(t.Context(), job(h.namespace, "fine")))
	require.NoError(t, h.edit.Create(t.Context(), op(h.namespace, "fine", held)))
}
