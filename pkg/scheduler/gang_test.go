package scheduler

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/utils/ptr"
	podgroups "sigs.k8s.io/scheduler-plugins/apis/scheduling/v1alpha1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	api "github.com/queueyard/queueyard/pkg/apis/visibility/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
)

func testGroup(name string, members int32) *podgroups.PodGroup {
	return &podgroups.PodGroup{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID("uid-" + name)},
		Spec:       podgroups.PodGroupSpec{MinMember: members},
	}
}

func inGang(name string) func(*v1.Pod) {
	return func(p *v1.Pod) { p.Labels[podgroups.PodGroupLabel] = name }
}

// gang makes a PodGroup and its pods, which are named after it.
func (w *world) gang(name, queue string, members int32) {
	w.room.podGroupSeen(testGroup(name, members))
	for i := range members {
		w.create(testPod(fmt.Sprint(name, i), queue, inGang(name)))
	}
}

func (w *world) states(uids ...string) (states []ledger.State) {
	for _, uid := range uids {
		states = append(states, w.room.ledger.State(uid))
	}
	return states
}

func same(s ledger.State, n int) (states []ledger.State) {
	for range n {
		states = append(states, s)
	}
	return states
}

func TestGangTakesOneSeatWhole(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 1)
	w.room.podGroupSeen(testGroup("g", 2))
	w.create(testPod("g0", "q", inGang("g")))
	w.settle()
	require.Empty(t, w.active(), "half a gang")
	reason, _ := w.room.verdict(w.room.entries["g0"])
	require.Equal(t, "GangIncomplete", reason)
	w.create(testPod("g1", "q", inGang("g")))
	w.create(testPod("stranger", "q"))
	w.settle()
	require.ElementsMatch(t, []string{"g0", "g1"}, w.active())
}

func TestGangWaitsForItsPodGroup(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", -1)
	w.create(testPod("g0", "q", inGang("g")))
	w.create(testPod("g1", "q", inGang("g")))
	w.settle()
	require.Empty(t, w.active())
	reason, message := w.room.verdict(w.room.entries["g0"])
	require.Equal(t, "PodGroupNotFound", reason)
	require.Contains(t, message, "PodGroup g does not exist in namespace ns; create it")

	w.room.podGroupSeen(testGroup("g", 3))
	w.settle()
	require.Empty(t, w.active(), "one is missing")
	w.room.podGroupSeen(testGroup("g", 2))
	w.settle()
	require.ElementsMatch(t, []string{"g0", "g1"}, w.active(), "fewer are needed now")
	w.room.podGroupSeen(testGroup("g", 3))
	w.settle()
	require.Empty(t, w.active(), "admitted for another size than it has")
	w.room.podGroupGone(testGroup("g", 3))
	w.settle()
	reason, _ = w.room.verdict(w.room.entries["g1"])
	require.Equal(t, "PodGroupNotFound", reason)
}

func TestGangThatRunsIsChargedAsOneAfterARestart(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 2)
	for _, name := range []string{"g0", "g1"} {
		w.create(testPod(name, "q", inGang("g"), func(p *v1.Pod) { p.Spec.NodeName = "node" }))
	}
	w.create(testPod("other", "q"))
	w.settle()
	require.Empty(t, w.active(), "its PodGroup is not seen yet")
	w.room.podGroupSeen(testGroup("g", 2))
	w.settle()
	require.Equal(t, []string{"other"}, w.active())
}

func TestGangThatFindsNoNodesGivesBackWhole(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 1)
	w.gang("g", "q", 3)
	w.settle()
	w.cycle(t, true, "") // g0 waits in Permit
	w.create(testPod("stranger", "q"))
	w.settle()
	w.cycle(t, false, "")
	require.Equal(t, []ledger.State{ledger.Admitted, ledger.Suspended, ledger.Suspended}, w.states("g0", "g1", "g2"),
		"what Permit keeps cannot be taken")
	w.bind(t, false) // Coscheduling lets it go
	require.Equal(t, ledger.Admitted, w.room.ledger.State("g0"), "a bind that failed is tried again with its room")
	w.retryAll()
	w.cycle(t, false, "")
	require.Equal(t, same(ledger.Suspended, 3), w.states("g0", "g1", "g2"))
	require.Equal(t, w.room.entries["g1"].retryAt, w.room.entries["g0"].retryAt, "in one back-off")
	w.settle()
	require.Equal(t, []string{"stranger"}, w.active())
	require.NoError(t, w.room.ledger.CheckInvariants())

	w.remove("stranger")
	w.clock.Step(time.Second)
	w.settle()
	require.ElementsMatch(t, []string{"g0", "g1", "g2"}, w.active())
}

func TestGangIsTriedAgainAsAWholeWhenAPodEnds(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", -1)
	w.create(testPod("running", "q", func(p *v1.Pod) { p.Spec.NodeName = "node" }))
	w.gang("g", "q", 3)
	w.settle()
	for range 4 { // until its back-off is long
		w.cycle(t, false, "")
		w.settle()
		require.Equal(t, same(ledger.Suspended, 3), w.states("g0", "g1", "g2"), "though nobody waits for its room")
		require.Empty(t, w.active())
		w.clock.SetTime(w.room.entries["g0"].retryAt)
		w.settle()
	}
	w.cycle(t, false, "")
	w.remove("running")
	w.settle()
	require.ElementsMatch(t, []string{"g0", "g1", "g2"}, w.active())
}

func TestGangThatLosesAPodWaitsAgain(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 1)
	w.gang("g", "q", 3)
	w.settle()
	w.remove("g1")
	w.settle()
	require.Empty(t, w.active())
	require.Equal(t, same(ledger.Waiting, 2), w.states("g0", "g2"))
	w.create(testPod("g3", "q", inGang("g")))
	w.settle()
	require.ElementsMatch(t, []string{"g0", "g2", "g3"}, w.active())
}

func TestPermitRefusesAGangWhole(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 1)
	w.gang("g", "q", 3)
	w.settle()
	w.queue("q", 1, func(q *v1alpha1.Queue) { q.Spec.State = v1alpha1.QueuePaused })
	_, ok := w.cycle(t, true, "")
	require.False(t, ok)
	w.settle()
	require.Equal(t, same(ledger.Waiting, 3), w.states("g0", "g1", "g2"))
	w.queue("q", 1)
	w.settle()
	require.ElementsMatch(t, []string{"g0", "g1", "g2"}, w.active())
}

func TestGangsFollowOneAnotherInTheSchedulersQueue(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", -1)
	w.room.podGroupSeen(testGroup("g", 3))
	w.room.podGroupSeen(testGroup("h", 3))
	// Their pods come mixed, and one of each is more urgent.
	for _, name := range []string{"h0", "g0", "g1", "h1", "h2", "g2"} {
		w.create(testPod(name, "q", inGang(name[:1]), func(p *v1.Pod) {
			if name[1] == '2' {
				p.Spec.Priority = ptr.To[int32](5)
			}
		}))
	}
	w.settle()
	var order string
	for range 6 {
		pod, ok := w.cycle(t, true, "")
		require.True(t, ok)
		order += pod.Name[:1]
	}
	require.Contains(t, []string{"ggghhh", "hhhggg"}, order)
}

func TestPodWithoutAGangIsNotToldOfIt(t *testing.T) {
	result, status := gangPlacement{}.PostFilter(t.Context(), nil, testPod("p", "q"), nil)
	require.Equal(t, &fwk.PostFilterResult{}, result)
	require.Equal(t, fwk.Unschedulable, status.Code())
	require.Empty(t, status.Message())
}

// People ask for the Job that they made, whose pods stand in line as a PodGroup.
func TestGangOfAJobIsFoundByTheJob(t *testing.T) {
	w := newWorld(testContext(t))
	w.queue("q", 0)
	pods := informers.NewSharedInformerFactory(fake.NewClientset(), 0).Core().V1().Pods().Informer()
	window, err := w.room.newWindow(pods)
	require.NoError(t, err)
	w.room.serving.Store(true)
	w.room.podGroupSeen(testGroup("g", 2))
	for i := range 2 {
		pod := testPod(fmt.Sprint("train-", i), "q", inGang("g"), func(p *v1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: "train", UID: "job", Controller: ptr.To(true)}}
		})
		w.create(pod)
		require.NoError(t, pods.GetIndexer().Add(pod))
	}
	w.settle()
	for _, asked := range []struct{ kind, name string }{{"Job", "train"}, {"", "train"}, {"PodGroup", "g"}, {"", "g"}} {
		x, err := window.ExplainOperation("ns", asked.kind, asked.name, func(string) bool { return true })
		require.NoError(t, err, "%v", asked)
		require.Equal(t, api.OperationReference{Kind: "PodGroup", Name: "g"}, x.Operation, "%v", asked)
		require.Equal(t, int32(2), x.Pods.Waiting, "%v", asked)
		require.Equal(t, string(ledger.NeverFits), x.Reason, "%v", asked)
	}
	_, err = window.ExplainOperation("ns", "PodGroup", "train", func(string) bool { return true })
	require.ErrorContains(t, err, "no pod of PodGroup train in namespace ns")
}
