package scheduler

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/cost"
	"github.com/queueyard/queueyard/pkg/ledger"
)

func (w *world) project(spec v1alpha1.ProjectSpec, edit ...func(*v1alpha1.Project)) {
	spec.Namespaces.Names = []string{"ns"}
	p := &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: "vision", Generation: 1}, Spec: spec}
	for _, e := range edit {
		e(p)
	}
	w.room.projectSeen(p)
}

func (w *world) organization(concurrency *int32, quota *v1alpha1.Quota, edit ...func(*v1alpha1.Organization)) {
	o := &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: "acme", Generation: 1}, Spec: v1alpha1.OrganizationSpec{Concurrency: concurrency, Quota: quota}}
	for _, e := range edit {
		e(o)
	}
	w.room.organizationSeen(o)
}

func cpuQuota(text string) *v1alpha1.Quota {
	return &v1alpha1.Quota{Resources: map[corev1.ResourceName]resource.Quantity{"cpu": resource.MustParse(text)}}
}

func TestTenantsSayWhatTheyUseAndWhatIsEnforced(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 10)
	w.organization(ptr.To[int32](3), &v1alpha1.Quota{Cost: ptr.To(resource.MustParse("4"))})
	w.project(v1alpha1.ProjectSpec{Organization: "acme", Concurrency: ptr.To[int32](1), Quota: cpuQuota("8")})
	w.create(testPod("a", "q"))
	w.create(testPod("b", "q"))
	w.settle()
	require.ElementsMatch(t, []string{"queues/q", "agents/default", "projects/vision", "organizations/acme"}, w.written(t))
	require.Empty(t, w.written(t), "what was written is not written again")
	p, _ := w.room.directory.Project("vision")
	require.EqualValues(t, 1, p.Status.Admitted)
	require.Equal(t, "1", p.Status.Usage.Cpu().String())
	require.Equal(t, int32(2), *p.Status.Demand.Concurrency)
	require.Equal(t, "2", p.Status.Demand.Resources.Cpu().String())
	require.Equal(t, int64(1), p.Status.Enforced.Generation)
	require.Equal(t, int32(1), *p.Status.Enforced.Concurrency)
	require.Equal(t, "8", p.Status.Enforced.Resources.Cpu().String())
	o, _ := w.room.directory.Organization("acme")
	require.EqualValues(t, 1, o.Status.Admitted)
	require.Equal(t, int32(3), *o.Status.Enforced.Concurrency)
	require.Equal(t, "4", o.Status.Enforced.Cost.String())

	w.remove("a")
	w.remove("b")
	w.settle()
	w.written(t)
	p, _ = w.room.directory.Project("vision")
	require.Zero(t, p.Status.Admitted)
	require.Empty(t, p.Status.Usage)
	require.Nil(t, p.Status.Demand)
	require.NotNil(t, p.Status.Enforced)
}

func TestOnlyWhatIsCountedIsWritten(t *testing.T) {
	w := newWorld(testContext(t))
	w.project(v1alpha1.ProjectSpec{Concurrency: ptr.To[int32](1)}, func(p *v1alpha1.Project) {
		p.Status.Local = &v1alpha1.Share{Concurrency: ptr.To[int32](1)}
		p.Status.Conditions = []metav1.Condition{{Type: "Ready"}}
	})
	for _, change := range w.room.statusChanges() {
		if change.resource == "projects" {
			require.ElementsMatch(t, []string{"admitted", "usage", "costRate", "demand", "enforced", "budget"},
				slices.Collect(maps.Keys(change.status.(map[string]any))))
		}
	}
}

func TestTheShareOfThisClusterBounds(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 10)
	share := func(seats int32, revision int64) func(o *v1alpha1.Organization) {
		return func(o *v1alpha1.Organization) {
			o.Status.Local = &v1alpha1.Share{Concurrency: ptr.To(seats), Revision: revision}
		}
	}
	w.organization(ptr.To[int32](20), nil, share(1, 7))
	w.project(v1alpha1.ProjectSpec{Organization: "acme"})
	w.create(testPod("a", "q"))
	w.create(testPod("b", "q"))
	w.settle()
	reason, message := w.room.verdict(w.room.entries["b"])
	require.Equal(t, "OrganizationFull", reason)
	require.Equal(t, "organization acme: 1/1 operations running (this cluster's share of 20); position 1 of 1", message)
	w.written(t)
	o, _ := w.room.directory.Organization("acme")
	require.Equal(t, int32(1), *o.Status.Enforced.Concurrency)
	require.EqualValues(t, 7, o.Status.Enforced.Revision)

	w.organization(ptr.To[int32](20), nil, share(2, 8))
	w.settle()
	require.Equal(t, "Admitted", w.room.ledger.State("b").String())
	w.written(t)
	o, _ = w.room.directory.Organization("acme")
	require.EqualValues(t, 8, o.Status.Enforced.Revision)

	w.organization(ptr.To[int32](1), nil, share(2, 8))
	require.Equal(t, int32(1), *w.room.enforced[accountKey{ledger.Organization, "acme"}].Concurrency, "a lowered limit holds at once")
}

func TestAShareOfABudget(t *testing.T) {
	w := newWorld(testContext(t))
	budget := &v1alpha1.Quota{Budget: &v1alpha1.Budget{Amount: resource.MustParse("10"), Window: "day"}}
	w.project(v1alpha1.ProjectSpec{Quota: budget}, func(p *v1alpha1.Project) {
		p.Status.Local = &v1alpha1.Share{Budget: ptr.To(resource.MustParse("4"))}
	})
	key := accountKey{ledger.Project, "vision"}
	require.Equal(t, "4", w.room.enforced[key].Budget.String())
	account := w.room.accounts[key]
	account.meter.Spent = cost.Of(resource.MustParse("3.99"))
	require.Empty(t, account.closed())
	account.meter.Spent = cost.Of(resource.MustParse("4"))
	require.NotEmpty(t, account.closed())
	require.Equal(t, "10", budget.Budget.Amount.String(), "what was seen is left alone")
}

// In the cluster of an agent the limit is the share.
func TestAnAnnotationSaysOfWhatALimitIsAShare(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 10)
	whole, err := json.Marshal(v1alpha1.Share{Concurrency: ptr.To[int32](20)})
	require.NoError(t, err)
	for _, tt := range []struct{ annotation, message string }{
		{string(whole), "project vision: 0/0 operations running (this cluster's share of 20)"},
		{"nonsense", "project vision admits no operations: its concurrency is 0; raise it"},
	} {
		w.project(v1alpha1.ProjectSpec{Concurrency: ptr.To[int32](0)}, func(p *v1alpha1.Project) {
			p.Annotations = map[string]string{v1alpha1.ShareOfAnnotation: tt.annotation}
		})
		w.create(testPod("a", "q"))
		w.settle()
		_, message := w.room.verdict(w.room.entries["a"])
		require.Equal(t, tt.message, message)
	}
}

func TestNoLeaderGoesBackToAnOlderLimit(t *testing.T) {
	w := newWorld(testContext(t))
	object := func(name, version string, uid types.UID) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: name, ResourceVersion: version, UID: uid}
	}
	seen := func(version string, uid types.UID, concurrency int32) {
		w.room.organizationSeen(&v1alpha1.Organization{ObjectMeta: object("acme", version, uid), Spec: v1alpha1.OrganizationSpec{Concurrency: &concurrency}})
		w.room.projectSeen(&v1alpha1.Project{ObjectMeta: object("vision", version, uid), Spec: v1alpha1.ProjectSpec{Concurrency: &concurrency}})
	}
	enforced := func() (of []int32) {
		for _, key := range []accountKey{{ledger.Project, "vision"}, {ledger.Organization, "acme"}} {
			if e := w.room.enforced[key]; e != nil {
				of = append(of, *e.Concurrency)
			}
		}
		return of
	}
	seen("99", "u", 8)
	seen("101", "u", 5) // as the API server has it when this replica begins to lead
	seen("100", "u", 8) // as the watch has it
	require.Equal(t, []int32{5, 5}, enforced())
	seen("1000", "u", 6)
	require.Equal(t, []int32{6, 6}, enforced())

	seen("1002", "v", 2) // made anew
	seen("1001", "u", 8)
	w.room.organizationGone(&v1alpha1.Organization{ObjectMeta: object("acme", "1001", "u")})
	w.room.projectGone(&v1alpha1.Project{ObjectMeta: object("vision", "1001", "u")})
	require.Equal(t, []int32{2, 2}, enforced())
	w.room.organizationGone(&v1alpha1.Organization{ObjectMeta: object("acme", "1003", "v")})
	w.room.projectGone(&v1alpha1.Project{ObjectMeta: object("vision", "1003", "v")})
	require.Empty(t, enforced())
}
