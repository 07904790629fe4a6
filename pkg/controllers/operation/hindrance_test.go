package operation

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// limited makes a managed namespace that may have that many pods, and waits until its quota has been counted.
func limited(t *testing.T, name string, pods int64) *corev1.ResourceQuota {
	t.Helper()
	require.NoError(t, admin.Create(t.Context(), namespace(name)))
	q := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "few"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: *resource.NewQuantity(pods, resource.DecimalSI)}}}
	require.NoError(t, admin.Create(t.Context(), q))
	eventually(t, "the quota is counted", func() bool {
		require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(q), q))
		return q.Status.Hard != nil
	})
	return q
}

func raise(t *testing.T, q *corev1.ResourceQuota, pods int64) {
	t.Helper()
	before := q.DeepCopy()
	q.Spec.Hard[corev1.ResourcePods] = *resource.NewQuantity(pods, resource.DecimalSI)
	require.NoError(t, admin.Patch(t.Context(), q, client.MergeFrom(before)))
}

// What a ResourceQuota keeps from having a pod says so, lets others of its queue go before it, and runs when there is room.
func TestResourceQuota(t *testing.T) {
	start(t, interceptor.Funcs{})
	one := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "quota-one"}, Spec: v1alpha1.QueueSpec{Concurrency: ptr.To[int32](1)}}
	require.NoError(t, admin.Create(t.Context(), one))
	few := limited(t, "quota", 0)
	var refused []*v1alpha1.Operation
	for i := range 40 {
		op := podOperation(fmt.Sprint("refused-", i), one.Name)
		op.Namespace = few.Namespace
		require.NoError(t, admin.Create(t.Context(), op))
		refused = append(refused, op)
	}
	said := says(t, refused[0], "ResourceQuotaExceeded")
	require.Contains(t, said.Message, "exceeded quota: few, requested: pods=1, used: pods=0, limited: pods=0: it is made when")
	other := podOperation("behind-refused", one.Name)
	require.NoError(t, admin.Create(t.Context(), other))
	finish(t, podOf(t, other, "1"))
	for _, op := range refused[1:] {
		require.NoError(t, admin.Delete(t.Context(), op))
	}
	raise(t, few, 1)
	finish(t, podOf(t, refused[0], "1"))
	reaches(t, refused[0], v1alpha1.StatusSucceeded)
	require.Nil(t, meta.FindStatusCondition(refused[0].Status.Conditions, v1alpha1.WaitingCondition))
}

// An agent may name a namespace that is yet to come.
func TestNamespaceOfTheAgentIsMissing(t *testing.T) {
	start(t, interceptor.Funcs{})
	for _, o := range []client.Object{
		&v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: "early"}, Spec: v1alpha1.AgentSpec{Namespace: "early"}},
		&v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "early"}, Spec: v1alpha1.QueueSpec{Agent: "early"}},
	} {
		require.NoError(t, admin.Create(t.Context(), o))
	}
	op := podOperation("early", "early")
	require.NoError(t, admin.Create(t.Context(), op))
	require.Equal(t, `namespaces "early" not found: it is made when there is such a namespace`, says(t, op, "FailedCreate").Message)
	require.NoError(t, admin.Create(t.Context(), namespace("early")))
	finish(t, podOf(t, op, "1"))
	reaches(t, op, v1alpha1.StatusSucceeded)
}

// A Job whose pods are refused says what the API server says to the Job controller, and no longer when it has them.
func TestJobWithoutPods(t *testing.T) {
	start(t, interceptor.Funcs{})
	few := limited(t, "quota-jobs", 0)
	job := func(name, namespace, spec string) *v1alpha1.Operation {
		op := podOperation(name, "")
		op.Namespace = namespace
		op.Spec.Template = &v1alpha1.RunTemplate{Job: &runtime.RawExtension{Raw: []byte(`{"spec":{"template":{"spec":{"restartPolicy":"Never",` + spec + `"containers":[{"name":"main","image":"none"}]}}}}`)}}
		require.NoError(t, admin.Create(t.Context(), op))
		return op
	}
	strict := namespace("strict-jobs")
	strict.Labels["pod-security.kubernetes.io/enforce"] = "restricted"
	require.NoError(t, admin.Create(t.Context(), strict))
	waits, forbidden := job("job-quota", few.Namespace, ""), job("job-forbidden", strict.Name, `"hostNetwork":true,`)
	nobody := job("job-nobody", "team", `"serviceAccountName":"nobody",`)
	require.Contains(t, says(t, waits, "ResourceQuotaExceeded").Message, "exceeded quota: few")
	require.Contains(t, says(t, forbidden, "FailedCreate").Message, `violates PodSecurity "restricted:latest"`)
	require.Contains(t, says(t, nobody, "FailedCreate").Message, `serviceaccount "nobody" not found`)
	require.Equal(t, v1alpha1.StatusQueued, forbidden.Status.Phase)
	raise(t, few, 1)
	pod := podOf(t, waits, "1")
	eventually(t, "it says nothing any more", func() bool {
		return meta.FindStatusCondition(read(t, waits).Conditions, v1alpha1.WaitingCondition) == nil
	})
	before := pod.DeepCopy()
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: v1alpha1.AdmittedCondition, Status: corev1.ConditionFalse, Reason: "BudgetExhausted", Message: "queue default has spent its budget"})
	require.NoError(t, admin.Status().Patch(t.Context(), pod, client.MergeFrom(before)))
	require.Equal(t, "queue default has spent its budget", says(t, waits, "BudgetExhausted").Message)
}

// A webhook that is down refuses nothing for good: what waits for it says so, and goes on when it is back.
func TestWebhookIsDown(t *testing.T) {
	var up atomic.Bool
	start(t, interceptor.Funcs{Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
		if _, pod := o.(*corev1.Pod); pod && !up.Load() {
			return apierrors.NewInternalError(errors.New(`failed calling webhook "pods.example.com": connection refused`))
		}
		return c.Create(ctx, o, options...)
	}})
	op := podOperation("webhook-down", "")
	require.NoError(t, admin.Create(t.Context(), op))
	require.Equal(t, `Internal error occurred: failed calling webhook "pods.example.com": connection refused: it is tried again until that is put right`, says(t, op, "FailedCreate").Message)
	up.Store(true)
	finish(t, podOf(t, op, "1"))
	reaches(t, op, v1alpha1.StatusSucceeded)
	require.Nil(t, meta.FindStatusCondition(op.Status.Conditions, v1alpha1.WaitingCondition))
}

// A pod that somebody else holds back with a gate says whose it is, lets others go before it, and says nothing any more without it.
func TestForeignGate(t *testing.T) {
	start(t, interceptor.Funcs{})
	one := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "gated-one"}, Spec: v1alpha1.QueueSpec{Concurrency: ptr.To[int32](1)}}
	require.NoError(t, admin.Create(t.Context(), one))
	var gated []*v1alpha1.Operation
	for i := range 40 {
		op := podOperation(fmt.Sprint("foreign-gate-", i), one.Name)
		op.Spec.Template.Pod.Raw = []byte(`{"spec":{"schedulingGates":[{"name":"example.com/data"}],"containers":[{"name":"main","image":"none"}]}}`)
		require.NoError(t, admin.Create(t.Context(), op))
		gated = append(gated, op)
	}
	pod := podOf(t, gated[0], "1")
	require.Equal(t, "scheduling gate example.com/data is on pod "+pod.Name+": it stands in line when whoever set that takes it off", says(t, gated[0], corev1.PodReasonSchedulingGated).Message)
	other := podOperation("behind-gated", one.Name)
	require.NoError(t, admin.Create(t.Context(), other))
	finish(t, podOf(t, other, "1"))
	for _, op := range gated[1:] {
		require.NoError(t, admin.Delete(t.Context(), op))
	}
	before := pod.DeepCopy()
	pod.Spec.SchedulingGates = nil
	require.NoError(t, admin.Patch(t.Context(), pod, client.MergeFrom(before)))
	eventually(t, "it says nothing any more", func() bool {
		return meta.FindStatusCondition(read(t, gated[0]).Conditions, v1alpha1.WaitingCondition) == nil
	})
}

// A pod of a Job that does not start says why as a pod does.
func TestJobDoesNotStart(t *testing.T) {
	start(t, interceptor.Funcs{})
	op := podOperation("job-mount", "")
	op.Spec.Template = &v1alpha1.RunTemplate{Job: &runtime.RawExtension{Raw: []byte(`{"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"main","image":"none"}]}}}}`)}}
	require.NoError(t, admin.Create(t.Context(), op))
	pod := podOf(t, op, "1")
	bind(t, pod)
	require.NoError(t, admin.Create(t.Context(), &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: "job-mount.1"}, InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		Type: corev1.EventTypeWarning, Reason: "FailedMount", Message: `secret "token" not found`, LastTimestamp: metav1.Now(),
	}))
	before := pod.DeepCopy()
	pod.Status.StartTime = &metav1.Time{Time: time.Now().Add(-time.Minute)}
	require.NoError(t, admin.Status().Patch(t.Context(), pod, client.MergeFrom(before)))
	reaches(t, op, v1alpha1.StatusWarning)
	last := op.Status.Timeline[len(op.Status.Timeline)-1]
	require.Equal(t, "FailedMount", last.Reason)
	require.Contains(t, last.Message, `secret "token" not found`)
	require.NoError(t, admin.Delete(t.Context(), op))
}
