package tenancy

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func queue(name string, edit ...func(*v1alpha1.Queue)) *v1alpha1.Queue {
	q := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.QueueSpec{Agent: "default"}}
	for _, e := range edit {
		e(q)
	}
	return q
}

func project(name string, spec v1alpha1.ProjectSpec) *v1alpha1.Project {
	return &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
}

func organization(name, defaultQueue string) *v1alpha1.Organization {
	return &v1alpha1.Organization{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.OrganizationSpec{DefaultQueue: defaultQueue}}
}

func named(names ...string) v1alpha1.ProjectNamespaces {
	return v1alpha1.ProjectNamespaces{Names: names}
}

func selected(key, value string) v1alpha1.ProjectNamespaces {
	return v1alpha1.ProjectNamespaces{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}}
}

// company is the directory of the tables below.
func company() *Index {
	x := NewIndex()
	x.SetQueue(queue("default"))
	x.SetQueue(queue("gpu", func(q *v1alpha1.Queue) { q.Spec.Agent = "lab" }))
	x.SetQueue(queue("cpu", func(q *v1alpha1.Queue) { q.Spec.Agent = "" }))
	x.SetQueue(queue("acme-wide"))
	x.SetOrganization(organization("acme", "acme-wide"))
	x.SetOrganization(organization("lost", "nowhere"))
	x.SetProject(project("vision", v1alpha1.ProjectSpec{DefaultQueue: "gpu", Organization: "acme", Namespaces: named("vision", "shared")}))
	x.SetProject(project("speech", v1alpha1.ProjectSpec{Organization: "acme", AllowedQueues: []string{"acme-*", "cpu"}, Namespaces: named("speech", "shared")}))
	x.SetProject(project("orphan", v1alpha1.ProjectSpec{Organization: "gone", Namespaces: named("orphan")}))
	x.SetProject(project("team", v1alpha1.ProjectSpec{AllowedQueues: []string{"gpu*"}, Namespaces: selected("team", "a")}))
	x.SetProject(project("broken", v1alpha1.ProjectSpec{DefaultQueue: "gpuu", Namespaces: named("broken")}))
	x.SetProject(project("stray", v1alpha1.ProjectSpec{Organization: "lost", Namespaces: named("stray")}))
	return x
}

func queueLabel(v string) map[string]string   { return map[string]string{v1alpha1.QueueLabel: v} }
func projectLabel(v string) map[string]string { return map[string]string{v1alpha1.ProjectLabel: v} }

func TestResolve(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for name, tc := range map[string]struct {
		claim   Claim
		want    Assignment
		reason  string
		message string
	}{
		"names none, no project": {
			claim: Claim{Namespace: "free"},
			want:  Assignment{Queue: "default", Source: "scheduler default"},
		},
		"label": {
			claim: Claim{Namespace: "free", Labels: queueLabel("cpu")},
			want:  Assignment{Queue: "cpu", Source: "label"},
		},
		"annotation": {
			claim: Claim{Namespace: "free", Annotations: queueLabel("cpu")},
			want:  Assignment{Queue: "cpu", Source: "label"},
		},
		"empty label counts as none": {
			claim: Claim{Namespace: "free", Labels: queueLabel(""), Annotations: queueLabel("cpu")},
			want:  Assignment{Queue: "cpu", Source: "label"},
		},
		"agent.queue": {
			claim: Claim{Namespace: "free", Labels: queueLabel("lab.gpu")},
			want:  Assignment{Queue: "gpu", Source: "label"},
		},
		"agent/queue": {
			claim: Claim{Namespace: "free", Annotations: queueLabel("lab/gpu")},
			want:  Assignment{Queue: "gpu", Source: "label"},
		},
		"a stamped label agrees with the longer annotation": {
			claim: Claim{Namespace: "free", Labels: queueLabel("gpu"), Annotations: queueLabel("lab/gpu")},
			want:  Assignment{Queue: "gpu", Source: "label"},
		},
		"the agent of the annotation is checked beside a stamped label": {
			claim:   Claim{Namespace: "free", Labels: queueLabel("gpu"), Annotations: queueLabel("other/gpu")},
			reason:  ReasonWrongAgent,
			message: `queue "gpu" is served by agent "lab", not by "other": write gpu or lab.gpu`,
		},
		"an unset agent is the default one": {
			claim: Claim{Namespace: "free", Labels: queueLabel("default.cpu")},
			want:  Assignment{Queue: "cpu", Source: "label"},
		},
		"wrong agent": {
			claim:   Claim{Namespace: "free", Labels: queueLabel("default.gpu")},
			reason:  ReasonWrongAgent,
			message: `queue "gpu" is served by agent "lab", not by "default": write gpu or lab.gpu`,
		},
		"label and annotation differ": {
			claim:   Claim{Namespace: "free", Labels: queueLabel("gpu"), Annotations: queueLabel("cpu")},
			reason:  ReasonContradiction,
			message: `label queueyard.io/queue is "gpu" and the annotation of the same key is "cpu": set only one of them, or both to the same`,
		},
		"label and annotation differ in the agent": {
			claim:  Claim{Namespace: "free", Labels: queueLabel("a.gpu"), Annotations: queueLabel("b/gpu")},
			reason: ReasonContradiction,
		},
		"project label and annotation differ": {
			claim:   Claim{Namespace: "shared", Labels: projectLabel("vision"), Annotations: projectLabel("speech")},
			reason:  ReasonContradiction,
			message: `label queueyard.io/project is "vision" and the annotation of the same key is "speech": set only one of them, or both to the same`,
		},
		"unknown queue": {
			claim:   Claim{Namespace: "free", Labels: queueLabel("gpuu")},
			reason:  ReasonUnknownQueue,
			message: `queue "gpuu" does not exist (did you mean "gpu"?): set label queueyard.io/queue to another queue, or create it (kubectl get queues lists those that exist)`,
		},
		"unknown queue, nothing near": {
			claim:   Claim{Namespace: "free", Labels: queueLabel("zzzzzz")},
			reason:  ReasonUnknownQueue,
			message: `queue "zzzzzz" does not exist: set label queueyard.io/queue to another queue, or create it (kubectl get queues lists those that exist)`,
		},
		"1,000 characters": {
			claim:   Claim{Namespace: "free", Annotations: queueLabel(long)},
			reason:  ReasonInvalidReference,
			message: `annotation queueyard.io/queue: "` + long[:70] + `"... (1000 characters) names no queue: write QUEUE, AGENT.QUEUE or, as an annotation, AGENT/QUEUE; names have at most 63 lower-case letters, digits and dashes`,
		},
		"1,000 characters of project": {
			claim:   Claim{Namespace: "free", Annotations: projectLabel(long)},
			reason:  ReasonInvalidReference,
			message: `annotation queueyard.io/project: "` + long[:70] + `"... (1000 characters) names no project: a name has at most 63 lower-case letters, digits and dashes`,
		},
		"two separators": {
			claim:  Claim{Namespace: "free", Annotations: queueLabel("a/b/c")},
			reason: ReasonInvalidReference,
		},
		"no agent before the dot": {
			claim:  Claim{Namespace: "free", Labels: queueLabel(".gpu")},
			reason: ReasonInvalidReference,
		},
		"no queue after the slash": {
			claim:  Claim{Namespace: "free", Annotations: queueLabel("lab/")},
			reason: ReasonInvalidReference,
		},
		"not UTF-8": {
			claim:  Claim{Namespace: "free", Annotations: queueLabel("\xff\xfe")},
			reason: ReasonInvalidReference,
		},
		"project's default": {
			claim: Claim{Namespace: "vision"},
			want:  Assignment{Queue: "gpu", Project: "vision", Organization: "acme", Source: "project vision"},
		},
		"own queue goes before the project's": {
			claim: Claim{Namespace: "vision", Labels: queueLabel("cpu")},
			want:  Assignment{Queue: "cpu", Project: "vision", Organization: "acme", Source: "label"},
		},
		"organization's default": {
			claim: Claim{Namespace: "speech"},
			want:  Assignment{Queue: "acme-wide", Project: "speech", Organization: "acme", Source: "organization acme"},
		},
		"an organization that is gone gives nothing": {
			claim: Claim{Namespace: "orphan"},
			want:  Assignment{Queue: "default", Project: "orphan", Source: "scheduler default"},
		},
		"namespace selected by its labels": {
			claim: Claim{Namespace: "any", NamespaceLabels: map[string]string{"team": "a"}, Labels: queueLabel("gpu")},
			want:  Assignment{Queue: "gpu", Project: "team", Source: "label"},
		},
		"not allowed": {
			claim:   Claim{Namespace: "speech", Labels: queueLabel("gpu")},
			reason:  ReasonQueueNotAllowed,
			message: `queue "gpu" is not allowed to project "speech", which may use "acme-*", "cpu": set label queueyard.io/queue to another queue`,
		},
		"the scheduler's default is not allowed": {
			claim:   Claim{Namespace: "any", NamespaceLabels: map[string]string{"team": "a"}},
			reason:  ReasonQueueNotAllowed,
			message: `queue "default", the scheduler's default, is not allowed to project "team", which may use "gpu*": set label queueyard.io/queue to another queue, or set spec.defaultQueue of the project`,
		},
		"project's default does not exist": {
			claim:   Claim{Namespace: "broken"},
			reason:  ReasonUnknownQueue,
			message: `queue "gpuu", the default of project "broken", does not exist (did you mean "gpu"?): set label queueyard.io/queue to another queue, or change spec.defaultQueue of the project, or create it (kubectl get queues lists those that exist)`,
		},
		"organization's default does not exist": {
			claim:   Claim{Namespace: "stray"},
			reason:  ReasonUnknownQueue,
			message: `queue "nowhere", the default of organization "lost", does not exist: set label queueyard.io/queue to another queue, or change spec.defaultQueue of the organization, or create it (kubectl get queues lists those that exist)`,
		},
		"unknown project": {
			claim:   Claim{Namespace: "shared", Labels: projectLabel("nobody")},
			reason:  ReasonUnknownProject,
			message: `project "nobody" does not exist: set label queueyard.io/project to a project that claims namespace "shared" (those that do: "speech", "vision"), or remove the label`,
		},
		"project of another namespace": {
			claim:   Claim{Namespace: "free", Labels: projectLabel("vision")},
			reason:  ReasonProjectNotHere,
			message: `project "vision" does not claim namespace "free" (none does now): add the namespace to spec.namespaces of the project, or change label queueyard.io/project`,
		},
		"two projects claim the namespace": {
			claim:   Claim{Namespace: "shared"},
			reason:  ReasonAmbiguousProject,
			message: `namespace "shared" is claimed by projects "speech", "vision": set label queueyard.io/project to one of them`,
		},
		"two projects claim the namespace and the label says which": {
			claim: Claim{Namespace: "shared", Labels: projectLabel("speech")},
			want:  Assignment{Queue: "acme-wide", Project: "speech", Organization: "acme", Source: "organization acme"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, refusal := Resolve(company(), "default", tc.claim)
			if tc.reason == "" {
				assert.Nil(t, refusal)
				assert.Equal(t, tc.want, got)
				return
			}
			if !assert.NotNil(t, refusal) {
				return
			}
			assert.Equal(t, tc.reason, refusal.Reason)
			if tc.message != "" {
				assert.Equal(t, tc.message, refusal.Error())
			}
			assert.Less(t, len(refusal.Message), 1000)
		})
	}
}

func TestResolveWithoutAnyQueue(t *testing.T) {
	_, refusal := Resolve(NewIndex(), "default", Claim{Namespace: "free"})
	assert.Equal(t, `queue "default", the scheduler's default, does not exist: set label queueyard.io/queue to another queue, or create it (kubectl get queues lists those that exist)`, refusal.Error())
}

// What is no Operation stays in this cluster.
func TestServedElsewhere(t *testing.T) {
	x := company()
	x.SetAgent(&v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: "lab"}, Spec: v1alpha1.AgentSpec{Remote: true}})
	claim := Claim{Namespace: "free", Labels: queueLabel("gpu")}
	_, refusal := Resolve(x, "default", claim)
	assert.Equal(t, ReasonServedElsewhere, refusal.Reason)
	assert.Equal(t, `queue "gpu" is served by agent "lab" in another cluster, where no pod or Job of this one can go: create an Operation, or use another queue`, refusal.Error())
	claim.Operation = true
	got, refusal := Resolve(x, "default", claim)
	assert.Nil(t, refusal)
	assert.Equal(t, "gpu", got.Queue)
	x.DeleteAgent("lab")
	claim.Operation = false
	_, refusal = Resolve(x, "default", claim)
	assert.Nil(t, refusal)
}

func TestManyProjectsAreCut(t *testing.T) {
	x := NewIndex()
	for _, letter := range "abcdefghijkl" {
		x.SetProject(project(string(letter), v1alpha1.ProjectSpec{Namespaces: named("n")}))
	}
	_, refusal := Resolve(x, "default", Claim{Namespace: "n"})
	assert.Equal(t, `namespace "n" is claimed by projects "a", "b", "c", "d", "e", "f", "g", "h" and 4 more: set label queueyard.io/project to one of them`, refusal.Error())
}

func TestIndexForgets(t *testing.T) {
	x := company()
	x.DeleteProject("vision")
	x.DeleteOrganization("acme")
	x.DeleteQueue("acme-wide")
	got, refusal := Resolve(x, "default", Claim{Namespace: "vision"})
	assert.Nil(t, refusal)
	assert.Equal(t, Assignment{Queue: "default", Source: "scheduler default"}, got)
	_, refusal = Resolve(x, "default", Claim{Namespace: "free", Labels: queueLabel("acme-wide")})
	assert.Equal(t, ReasonUnknownQueue, refusal.Reason)
}

func TestCheckAccepting(t *testing.T) {
	assert.Nil(t, CheckAccepting(QueueInfo{Name: "q", State: v1alpha1.QueueOpen}))
	assert.Nil(t, CheckAccepting(QueueInfo{Name: "q", State: v1alpha1.QueuePaused}))
	draining := CheckAccepting(QueueInfo{Name: "q", State: v1alpha1.QueueDraining})
	assert.Equal(t, `queue "q" is draining and takes no new operations: use another queue, or set its spec.state to Open`, draining.Error())
	now := metav1.Now()
	deleting := CheckAccepting(InfoOf(queue("q", func(q *v1alpha1.Queue) { q.DeletionTimestamp = &now })))
	assert.Equal(t, `queue "q" is being deleted and takes no new operations: use another queue, or create it anew when it is gone`, deleting.Error())
}
