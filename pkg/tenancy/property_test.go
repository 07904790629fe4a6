package tenancy

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// word is a name of the small world below, or rubbish.
func word() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"", "a", "b", "c", "a.b", "b/c", "b.c", "default"}),
		rapid.String(),
	)
}

func references() *rapid.Generator[map[string]string] {
	return rapid.MapOf(rapid.SampledFrom(keys), word())
}

func world() *rapid.Generator[*Index] {
	return rapid.Custom(func(t *rapid.T) *Index {
		x := NewIndex()
		name := rapid.SampledFrom([]string{"a", "b", "c", "default"})
		globs := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom([]string{"*", "a", "b*", "[", "?"}), rapid.String()), 0, 3)
		for range rapid.IntRange(0, 4).Draw(t, "queues") {
			x.SetQueue(queue(name.Draw(t, "queue"), func(q *v1alpha1.Queue) { q.Spec.Agent = word().Draw(t, "agent") }))
		}
		for range rapid.IntRange(0, 3).Draw(t, "projects") {
			spec := v1alpha1.ProjectSpec{
				DefaultQueue:  word().Draw(t, "default"),
				Organization:  word().Draw(t, "organization"),
				AllowedQueues: globs.Draw(t, "allowed"),
				Namespaces:    named(rapid.SampledFrom([]string{"n", "m"}).Draw(t, "namespace")),
			}
			if rapid.Bool().Draw(t, "selects") {
				spec.Namespaces = selected(word().Draw(t, "key"), word().Draw(t, "value"))
			}
			x.SetProject(project(name.Draw(t, "project"), spec))
		}
		for range rapid.IntRange(0, 2).Draw(t, "organizations") {
			x.SetOrganization(organization(name.Draw(t, "organization"), word().Draw(t, "default")))
		}
		return x
	})
}

func claims() *rapid.Generator[Claim] {
	return rapid.Custom(func(t *rapid.T) Claim {
		return Claim{
			Namespace:       rapid.SampledFrom([]string{"n", "m", "o"}).Draw(t, "namespace"),
			NamespaceLabels: rapid.MapOf(word(), word()).Draw(t, "namespaceLabels"),
			Labels:          references().Draw(t, "labels"),
			Annotations:     references().Draw(t, "annotations"),
		}
	})
}

// What is assigned exists, is allowed, belongs to the namespace, stays the same once stamped, and is where what runs is charged.
func TestResolveProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, c := world().Draw(t, "world"), claims().Draw(t, "claim")
		got, refusal := Resolve(x, "default", c)
		if refusal != nil {
			if refusal.Reason == "" || refusal.Message == "" || len(refusal.Message) > 2000 {
				t.Fatalf("a refusal without a fit sentence: %+v", refusal)
			}
			return
		}
		if claimed := Claimed(x, "default", c); claimed != got {
			t.Fatalf("assigned %+v, claimed %+v", got, claimed)
		}
		if _, ok := x.Queue(got.Queue); !ok {
			t.Fatalf("queue %q does not exist", got.Queue)
		}
		if got.Project != "" {
			p, ok := x.Project(got.Project)
			if !ok || !ClaimsNamespace(p, c.Namespace, c.NamespaceLabels) || !Allowed(p.Spec.AllowedQueues, got.Queue) {
				t.Fatalf("project %q may not have queue %q from namespace %q", got.Project, got.Queue, c.Namespace)
			}
		}
		c.Labels = map[string]string{v1alpha1.QueueLabel: got.Queue, v1alpha1.ProjectLabel: got.Project}
		again, refusal := Resolve(x, "elsewhere", c)
		if refusal != nil || again.Queue != got.Queue || again.Project != got.Project || again.Organization != got.Organization {
			t.Fatalf("stamped with %+v, resolved to %+v (%v)", got, again, refusal)
		}
	})
}

// What an object and its template say together is refused or is what each of them says.
func TestCombineProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		own, template := claims().Draw(t, "own"), claims().Draw(t, "template")
		both, refusal := Combine(own, template)
		if refusal != nil {
			return
		}
		got, refusal := queueReference(both.Labels, both.Annotations)
		if refusal != nil {
			t.Fatalf("combined into a contradiction: %v", refusal)
		}
		for _, c := range []Claim{own, template} {
			if said, _ := queueReference(c.Labels, c.Annotations); said.given() && !said.agrees(got) {
				t.Fatalf("%v said, %v combined", said, got)
			}
		}
	})
}
