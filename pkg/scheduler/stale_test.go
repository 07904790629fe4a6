package scheduler

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
)

// Whatever becomes of queues, agents, projects, organizations, namespaces and PodGroups, in the next moment every
// waiting pod is where it would be if it came now.
func TestWaitingPodsFollowTenancy(t *testing.T) {
	ctx := testContext(t)
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(ctx)
		names := rapid.SampledFrom([]string{"a", "b"})
		uids := 0
		meta := func(name string) metav1.ObjectMeta {
			uids++
			return metav1.ObjectMeta{Name: name, UID: types.UID(fmt.Sprint(uids)), Generation: int64(uids), ResourceVersion: fmt.Sprint(uids)}
		}
		remote := rapid.Bool()
		w.queue("default", 1)
		pods := 0
		t.Repeat(map[string]func(*rapid.T){
			"pod": func(t *rapid.T) {
				pods++
				w.create(testPod(fmt.Sprint("pod", pods), rapid.SampledFrom([]string{"", "a", "b", "a.b"}).Draw(t, "queue"), func(p *v1.Pod) {
					p.Namespace = rapid.SampledFrom([]string{"ns", "n2"}).Draw(t, "namespace")
					if project := rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "project"); project != "" {
						p.Labels[v1alpha1.ProjectLabel] = project
					}
					if rapid.Bool().Draw(t, "gang") {
						inGang("a")(p)
					}
				}))
			},
			"queue": func(t *rapid.T) {
				q := &v1alpha1.Queue{ObjectMeta: meta(names.Draw(t, "queue"))}
				q.Spec.Agent = names.Draw(t, "agent")
				q.Spec.State = rapid.SampledFrom([]v1alpha1.QueueState{v1alpha1.QueueOpen, v1alpha1.QueuePaused, v1alpha1.QueueDraining}).Draw(t, "state")
				w.room.queueSeen(q)
			},
			"no queue": func(t *rapid.T) {
				if q := w.room.directory.queues[names.Draw(t, "queue")]; q != nil {
					w.room.queueGone(q)
				}
			},
			"agent": func(t *rapid.T) {
				w.room.agentSeen(&v1alpha1.Agent{ObjectMeta: meta(names.Draw(t, "agent")), Spec: v1alpha1.AgentSpec{Remote: remote.Draw(t, "remote")}})
			},
			"no agent": func(t *rapid.T) {
				if a := w.room.directory.agents[names.Draw(t, "agent")]; a != nil {
					w.room.agentGone(a)
				}
			},
			"project": func(t *rapid.T) {
				p := &v1alpha1.Project{ObjectMeta: meta(names.Draw(t, "project"))}
				p.Spec.Organization = rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "organization")
				p.Spec.DefaultQueue = rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "default")
				p.Spec.AllowedQueues = rapid.SampledFrom([][]string{nil, {"a"}, {"*"}}).Draw(t, "allowed")
				p.Spec.Namespaces.Names = rapid.SampledFrom([][]string{nil, {"ns"}, {"n2"}}).Draw(t, "names")
				p.Spec.Namespaces.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": p.Name}}
				w.room.projectSeen(p)
			},
			"no project": func(t *rapid.T) {
				if p, ok := w.room.directory.Project(names.Draw(t, "project")); ok {
					w.room.projectGone(p)
				}
			},
			"organization": func(t *rapid.T) {
				o := &v1alpha1.Organization{ObjectMeta: meta(names.Draw(t, "organization"))}
				o.Spec.DefaultQueue = rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "default")
				w.room.organizationSeen(o)
			},
			"no organization": func(t *rapid.T) {
				if o, ok := w.room.directory.Organization(names.Draw(t, "organization")); ok {
					w.room.organizationGone(o)
				}
			},
			"namespace": func(t *rapid.T) {
				w.room.namespaceSeen(&v1.Namespace{ObjectMeta: metav1.ObjectMeta{
					Name: rapid.SampledFrom([]string{"ns", "n2"}).Draw(t, "namespace"), Labels: map[string]string{"team": names.Draw(t, "team")},
				}})
			},
			"group": func(t *rapid.T) {
				w.room.podGroupSeen(testGroup("a", int32(rapid.IntRange(1, 3).Draw(t, "members"))))
			},
			"no group": func(t *rapid.T) { w.room.podGroupGone(testGroup("a", 1)) },
			"": func(t *rapid.T) {
				w.settle()
				for uid, e := range w.room.entries {
					if !w.room.directory.knowsNamespace(e.pod.Namespace) {
						require.Equal(t, ledger.Unknown, w.room.ledger.State(string(uid)))
						continue
					}
					want, refusal := w.room.assign(e.pod)
					if refusal == nil {
						_, refusal = w.room.directory.gangOf(e.pod)
					}
					require.Equal(t, refusal, e.refusal, "%s", uid)
					if refusal != nil {
						require.Equal(t, ledger.Unknown, w.room.ledger.State(string(uid)))
						continue
					}
					why, known := w.room.ledger.Explain(string(uid))
					require.True(t, known, "%s", uid)
					require.Equal(t, want.Queue, why.Queue, "%s", uid)
					require.Equal(t, want.Project, why.Project, "%s", uid)
				}
				require.NoError(t, w.room.ledger.CheckInvariants())
			},
		})
	})
}
