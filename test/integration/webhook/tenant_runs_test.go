package webhook_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// What the programs have more rights for than tenants, and how a tenant could have them use these.

// manifest is a template of an object of any kind.
func manifest(text string) func(*v1alpha1.Operation) {
	return func(o *v1alpha1.Operation) {
		o.Spec.Template = &v1alpha1.RunTemplate{Object: &v1alpha1.ObjectTemplate{Manifest: runtime.RawExtension{Raw: []byte(text)}, SuccessCondition: "true"}}
	}
}

// The controller makes objects without asking again, so what it would make is known when the operation is created.
func TestTemplatesMakeNoMoreThanTheirAuthorMay(t *testing.T) {
	h := newHouse(t, "deputy")
	const made = `{"successCondition": "true", "manifest": {"apiVersion": "queueyard.io/v1alpha1", "kind": "Assignment", "spec": {}}}`
	for name, tc := range map[string]struct{ text, part string }{
		"an operation that makes more": {`{"apiVersion": "queueyard.io/v1alpha1", "kind": "Operation", "spec": {"template": {"object": ` + made + `}}}`,
			"kind is Operation, and operations make nothing of Queueyard's own: create it yourself, or write a Workflow"},
		"a workflow that makes more": {`{"apiVersion": "queueyard.io/v1alpha1", "kind": "Workflow", "spec": {"entrypoint": "x", "templates": [{"name": "x", "operation": {"template": {"object": ` + made + `}}}]}}`,
			"kind is Workflow, and operations make nothing of Queueyard's own"},
		"a kind of the second attempt": {`{"apiVersion": "{{ globals.attempt == 1 ? 'v1' : 'rbac.authorization.k8s.io/v1' }}", "kind": "{{ globals.attempt == 1 ? 'ConfigMap' : 'RoleBinding' }}"}`,
			"spec.template.object.manifest.apiVersion must be written out, without an expression"},
		"a kind of a UID": {`{"apiVersion": "v1", "kind": "{{ globals.uid.startsWith('00000000-') ? 'ConfigMap' : 'Secret' }}"}`,
			"spec.template.object.manifest.kind must be written out, without an expression"},
	} {
		t.Run(name, func(t *testing.T) {
			requireRefused(t, h.edit.Create(t.Context(), op(h.namespace, "x", manifest(tc.text))), operationsWebhook, tc.part)
		})
	}
}

// In an agent's cluster, what stands for an operation of the hub counts where the hub has said, whatever is claimed and allowed there.
func TestAssignedRunsStayWhereTheHubSaid(t *testing.T) {
	h, neighbour := newHouse(t, "assigned"), newHouse(t, "assigned-neighbour")
	controller := asController(t)
	said := map[string]string{
		v1alpha1.OperationLabel: "o", v1alpha1.OperationUIDLabel: "u", v1alpha1.AttemptLabel: "1",
		v1alpha1.QueueLabel: h.namespace + "-q", v1alpha1.ProjectLabel: h.namespace,
	}
	notes := map[string]string{v1alpha1.OriginAnnotation: h.namespace, v1alpha1.AssignmentAnnotation: "a", v1alpha1.QueuedTimeAnnotation: "2020-01-01T00:00:00Z"}
	waits := pod(h.namespace, labels(said), annotations(notes))
	require.NoError(t, controller.Create(t.Context(), waits))
	for text, part := range map[string]string{
		`{"metadata":{"labels":{"queueyard.io/queue":"cpu"}}}`:                                                                       `label queueyard.io/queue is written by queueyard-controller alone`,
		`{"metadata":{"labels":{"queueyard.io/project":"` + neighbour.namespace + `"}}}`:                                             `label queueyard.io/project is written by queueyard-controller alone`,
		`{"metadata":{"labels":{"queueyard.io/project":null}}}`:                                                                      `label queueyard.io/project is written by queueyard-controller alone`,
		`{"metadata":{"labels":{"queueyard.io/project":null},"annotations":{"queueyard.io/project":"` + neighbour.namespace + `"}}}`: `label queueyard.io/project is written`,
	} {
		requireRefused(t, h.edit.Patch(t.Context(), waits.DeepCopy(), merge(text)), "pod-changes.queueyard.io", part)
	}

	copied := func(name string, suspended bool) *batchv1.Job {
		j := job(h.namespace, name, jobLabels(said), templateLabels(said), func(j *batchv1.Job) {
			j.Annotations, j.Spec.Template.Annotations, j.Spec.Suspend = notes, notes, &suspended
		})
		require.NoError(t, controller.Create(t.Context(), j))
		return j
	}
	requireRefused(t, h.edit.Patch(t.Context(), copied("rests", true), merge(`{"metadata":{"labels":{"queueyard.io/queue":"cpu"}},"spec":{"template":{"metadata":{"labels":{"queueyard.io/queue":"cpu"}}}}}`)),
		"job-changes.queueyard.io", `label queueyard.io/queue is written by queueyard-controller alone`)

	owner := copied("runs", false)
	ofJob := func(key, value string) *corev1.Pod {
		says := maps.Clone(said)
		if says[key] = value; value == "" {
			delete(says, key)
		}
		return pod(h.namespace, labels(says), annotations(notes), func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: owner.Name, UID: owner.UID, Controller: ptr.To(true)}}
		})
	}
	for key, value := range map[string]string{v1alpha1.QueueLabel: "cpu", v1alpha1.ProjectLabel: neighbour.namespace} {
		requireRefused(t, h.edit.Create(t.Context(), ofJob(key, value)), podsWebhook, "label "+key+" is written by queueyard-controller alone")
	}
	requireRefused(t, h.edit.Create(t.Context(), ofJob(v1alpha1.ProjectLabel, "")), podsWebhook, "label queueyard.io/project is written by queueyard-controller alone")
	require.NoError(t, h.edit.Create(t.Context(), ofJob(v1alpha1.AttemptLabel, "1")), "as the Job's own pods")
	eventually(t, owner, func() bool { return owner.Status.Active > 0 })
}

// A pod that is out of the API at once runs on for the grace that its spec names, and its room would be another's.
func TestTenantsLeaveNothingRunningBehind(t *testing.T) {
	h := newHouse(t, "behind")
	placed := func(edits ...edit) *corev1.Pod {
		p := pod(h.namespace, append(edits, func(p *corev1.Pod) { p.Spec.TerminationGracePeriodSeconds = ptr.To[int64](1_000_000) })...)
		require.NoError(t, h.edit.Create(t.Context(), p))
		require.NoError(t, bind(t, scheduler(t), p))
		return p
	}
	runs := placed()
	atOnce := client.GracePeriodSeconds(0)
	evict := func(grace *int64) error {
		return h.edit.SubResource("eviction").Create(t.Context(), runs.DeepCopy(), &policyv1.Eviction{DeleteOptions: &metav1.DeleteOptions{GracePeriodSeconds: grace, DryRun: []string{metav1.DryRunAll}}})
	}
	refused := func(err error) bool {
		return apierrors.IsForbidden(err) && strings.Contains(err.Error(), `pod "`+runs.Name+`" would give its room away before its programs have ended: delete it with a grace period of 1 second or more (kubectl delete --now)`)
	}
	require.Eventually(t, func() bool { return refused(h.edit.Delete(t.Context(), runs.DeepCopy(), atOnce, client.DryRunAll)) }, time.Minute, pollEvery)
	require.Eventually(t, func() bool { return refused(evict(ptr.To[int64](0))) }, time.Minute, pollEvery)
	require.True(t, refused(h.admin.Delete(t.Context(), runs.DeepCopy(), atOnce)))
	require.True(t, apierrors.IsForbidden(h.edit.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(h.namespace), atOnce)))
	require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(runs), runs))
	require.Nil(t, runs.DeletionTimestamp)

	require.NoError(t, evict(nil))
	require.NoError(t, evict(ptr.To[int64](1)))
	require.NoError(t, h.edit.Delete(t.Context(), runs.DeepCopy(), client.GracePeriodSeconds(1), client.DryRunAll))
	waits := pod(h.namespace)
	require.NoError(t, h.edit.Create(t.Context(), waits))
	require.NoError(t, h.edit.Delete(t.Context(), waits, atOnce), "it runs nowhere")
	over := placed()
	require.NoError(t, admin.Status().Patch(t.Context(), over, merge(`{"status":{"phase":"Succeeded"}}`)))
	require.NoError(t, h.edit.Delete(t.Context(), over, atOnce), "it has ended")

	config := rest.CopyConfig(env.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: h.editor, Groups: []string{"system:nodes"}}
	node, err := clientOf(config)
	require.NoError(t, err)
	require.NoError(t, node.Delete(t.Context(), runs.DeepCopy(), atOnce, client.DryRunAll), "its node says that it has ended")
	require.NoError(t, admin.Delete(t.Context(), runs, atOnce), "a cluster administrator")
}

// Of Secrets and of the cluster's webhooks the controller reads its own.
func TestControllerReadsNoOthersSecrets(t *testing.T) {
	controller := asController(t)
	named := func(name string) client.ListOption {
		return client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("metadata.name", name)}
	}
	in := client.InNamespace(systemNamespace)
	require.NoError(t, controller.List(t.Context(), &corev1.SecretList{}, in, named("queueyard-webhook-certificate")))
	require.NoError(t, controller.List(t.Context(), &admissionregistrationv1.MutatingWebhookConfigurationList{}, named("queueyard")))
	require.NoError(t, controller.List(t.Context(), &coordinationv1.LeaseList{}, named(v1alpha1.AgentLease)))
	for what, err := range map[string]error{
		"all Secrets":        controller.List(t.Context(), &corev1.SecretList{}, in),
		"another Secret":     controller.Get(t.Context(), client.ObjectKey{Namespace: systemNamespace, Name: "x"}, &corev1.Secret{}),
		"another by a list":  controller.List(t.Context(), &corev1.SecretList{}, in, named("x")),
		"others' webhooks":   controller.List(t.Context(), &admissionregistrationv1.MutatingWebhookConfigurationList{}),
		"others' validation": controller.List(t.Context(), &admissionregistrationv1.ValidatingWebhookConfigurationList{}, named("x")),
		"all Leases":         controller.List(t.Context(), &coordinationv1.LeaseList{}),
	} {
		require.True(t, apierrors.IsForbidden(err), "%s: %v", what, err)
	}
}
