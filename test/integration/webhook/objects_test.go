package webhook_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func TestObjectsAreRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		object   client.Object
		sentence string
	}{
		"default is not allowed": {
			object:   project("bad", v1alpha1.ProjectSpec{DefaultQueue: "cpu", AllowedQueues: []string{"gpu*"}}),
			sentence: `spec.defaultQueue: queue "cpu" is not among spec.allowedQueues ("gpu*"): add it there, or choose another default`,
		},
		"bad glob": {
			object:   project("bad", v1alpha1.ProjectSpec{AllowedQueues: []string{"gpu-["}}),
			sentence: `spec.allowedQueues: "gpu-[" cannot be read as a glob: write a queue's name, or a pattern such as "gpu-*"`,
		},
		"organization's default is no name": {
			object:   &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "bad"}, Spec: v1alpha1.OrganizationSpec{DefaultQueue: "a/b"}},
			sentence: `spec.defaultQueue: "a/b" cannot be a name: names have at most 63 lower-case letters, digits and dashes`,
		},
		"agent is no name": {
			object:   queue("bad", v1alpha1.QueueSpec{Agent: "a b"}),
			sentence: `spec.agent: "a b" cannot be a name: names have at most 63 lower-case letters, digits and dashes`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			requireDenied(t, admin.Create(t.Context(), tc.object), "objects.queueyard.io", tc.sentence)
		})
	}
}

// requireReady waits for the Ready condition to say what it should.
func requireReady(t *testing.T, o client.Object, conditions *[]metav1.Condition, status metav1.ConditionStatus, message string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.NoError(c, admin.Get(t.Context(), client.ObjectKeyFromObject(o), o))
		ready := meta.FindStatusCondition(*conditions, v1alpha1.ReadyCondition)
		require.NotNil(c, ready)
		require.Equal(c, message, ready.Message)
		require.Equal(c, status, ready.Status)
		require.Equal(c, o.GetGeneration(), ready.ObservedGeneration)
	}, time.Minute, pollEvery)
}

func TestProjectSaysWhatIsMissing(t *testing.T) {
	p := project("planned", v1alpha1.ProjectSpec{DefaultQueue: "planned", Organization: "planned", Namespaces: claims("planned")})
	require.NoError(t, admin.Create(t.Context(), p), "objects may come in any order")
	requireReady(t, p, &p.Status.Conditions, metav1.ConditionFalse,
		`spec.defaultQueue: queue "planned" does not exist: create it, or choose another; spec.organization: organization "planned" does not exist, so its limits and defaults do not apply: create it, or choose another`)

	require.NoError(t, admin.Create(t.Context(), queue("planned", v1alpha1.QueueSpec{})))
	require.NoError(t, admin.Create(t.Context(), &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "planned"}}))
	requireReady(t, p, &p.Status.Conditions, metav1.ConditionTrue, "all references lead somewhere")

	require.NoError(t, admin.Create(t.Context(), namespace("planned", nil)))
	second := project("second", v1alpha1.ProjectSpec{Namespaces: claims("planned")})
	require.NoError(t, admin.Create(t.Context(), second))
	requireReady(t, p, &p.Status.Conditions, metav1.ConditionTrue,
		"also claimed by second: planned; pods there must say with label queueyard.io/project which project they belong to")
	require.NoError(t, admin.Delete(t.Context(), second))
	requireReady(t, p, &p.Status.Conditions, metav1.ConditionTrue, "all references lead somewhere")
}

func TestOrganizationSaysWhatIsMissing(t *testing.T) {
	o := &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "later"}, Spec: v1alpha1.OrganizationSpec{DefaultQueue: "later"}}
	require.NoError(t, admin.Create(t.Context(), o))
	requireReady(t, o, &o.Status.Conditions, metav1.ConditionFalse, `spec.defaultQueue: queue "later" does not exist: create it, or choose another`)
	require.NoError(t, admin.Create(t.Context(), queue("later", v1alpha1.QueueSpec{})))
	requireReady(t, o, &o.Status.Conditions, metav1.ConditionTrue, "all references lead somewhere")
}

// The scheduler's part, writing the counts, is played by the test.
func TestDeletedQueueWaitsUntilItIsEmpty(t *testing.T) {
	q := queue("leaving", v1alpha1.QueueSpec{})
	require.NoError(t, admin.Create(t.Context(), q))
	eventually(t, q, func() bool { return len(q.Finalizers) == 1 })
	require.Equal(t, v1alpha1.QueueFinalizer, q.Finalizers[0])
	q.Status = v1alpha1.QueueStatus{ObservedGeneration: q.Generation, Pending: 1, Admitted: 1}
	require.NoError(t, admin.Status().Update(t.Context(), q))

	require.NoError(t, admin.Delete(t.Context(), q))
	eventually(t, q, func() bool { return !q.DeletionTimestamp.IsZero() })
	requireDenied(t, admin.Create(t.Context(), pod("free", labels(queueLabel("leaving")))), podsWebhook,
		`queue "leaving" is being deleted and takes no new operations: use another queue, or create it anew when it is gone`)
	require.NoError(t, admin.Create(t.Context(), pod("free", labels(queueLabel("leaving")), ownedBy("ReplicaSet"))),
		"the pods of an accepted operation still go in")

	q.Status = v1alpha1.QueueStatus{ObservedGeneration: q.Generation}
	require.NoError(t, admin.Status().Update(t.Context(), q))
	require.Eventually(t, func() bool {
		return apierrors.IsNotFound(admin.Get(t.Context(), client.ObjectKeyFromObject(q), q))
	}, time.Minute, pollEvery)
}
