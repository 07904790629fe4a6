package audit

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	podgroups "sigs.k8s.io/scheduler-plugins/apis/scheduling/v1alpha1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func podGroup(name string, members int32) *podgroups.PodGroup {
	return &podgroups.PodGroup{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID("group-" + name)},
		Spec: podgroups.PodGroupSpec{MinMember: members}}
}

func inGroup(name string) podOption {
	return func(p *corev1.Pod) { p.Labels[podgroups.PodGroupLabel] = name }
}

func ownedByOperationNamed(name string) podOption {
	return func(p *corev1.Pod) {
		ownedBy(name)(p)
		p.OwnerReferences[0].Kind, p.OwnerReferences[0].APIVersion = "Operation", v1alpha1.GroupVersion.String()
	}
}

func elsewhere(p *corev1.Pod) { p.Namespace = "other" }

// Two pods are bound in a queue of one seat: that is one operation, or one too many.
func TestWhatIsOneOperation(t *testing.T) {
	for _, tt := range []struct {
		name   string
		groups []step
		a, b   []podOption
		one    bool
	}{
		{"bare pods", nil, nil, nil, false},
		{"one controller", nil, []podOption{ownedBy("job")}, []podOption{ownedBy("job")}, true},
		{"a gang of bare pods", []step{at(0, podGroup("g", 2))}, []podOption{inGroup("g")}, []podOption{inGroup("g")}, true},
		{"a gang over two controllers", []step{at(0, podGroup("g", 2))}, []podOption{inGroup("g"), ownedBy("x")}, []podOption{inGroup("g"), ownedBy("y")}, true},
		{"two gangs of one controller", []step{at(0, podGroup("g", 2)), at(0, podGroup("h", 2))},
			[]podOption{inGroup("g"), ownedBy("job")}, []podOption{inGroup("h"), ownedBy("job")}, false},
		{"a PodGroup of one is no gang", []step{at(0, podGroup("g", 1))}, []podOption{inGroup("g")}, []podOption{inGroup("g")}, false},
		{"a label is no PodGroup", nil, []podOption{inGroup("g")}, []podOption{inGroup("g")}, false},
		{"a PodGroup of another namespace", []step{at(0, podGroup("g", 2))}, []podOption{inGroup("g")}, []podOption{inGroup("g"), elsewhere}, false},
		{"an Operation comes before its gangs", []step{at(0, podGroup("g", 2)), at(0, podGroup("h", 2))},
			[]podOption{inGroup("g"), ownedByOperationNamed("op")}, []podOption{inGroup("h"), ownedByOperationNamed("op")}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			steps := append([]step{at(0, agent("a", -1)), at(0, queue("q", seats(1)))}, tt.groups...)
			steps = append(steps,
				at(10, pod("x", tt.a...)), at(10, pod("y", tt.b...)),
				at(20, pod("x", append(tt.a, onNode)...)), at(30, pod("y", append(tt.b, onNode)...)))
			found, _ := play(DefaultConfig(), steps...)
			require.Equal(t, tt.one, len(found) == 0, "%v", found)
		})
	}
}

// The audit begins while a gang runs, and sees its pods before its PodGroup.
func TestPodGroupIsSeenAfterItsPods(t *testing.T) {
	found, a := play(DefaultConfig(), at(0, agent("a", -1)), at(0, queue("q", seats(2))),
		at(0, pod("x", inGroup("g"), onNode)), at(0, pod("y", inGroup("g"), onNode)), at(1, podGroup("g", 2)),
		at(10, pod("z")), at(20, pod("z", onNode)))
	require.Empty(t, found)
	require.Len(t, a.node(nodeKey{queueKind, "q"}).ops, 2)
}

// What room a gang waits for is not known outside, so it is never said to be stuck.
func TestGangsThatWaitAreNotStuck(t *testing.T) {
	found, _ := play(DefaultConfig(), at(0, agent("a", -1)), at(0, queue("q", holding("cpu", "3"))), at(0, podGroup("g", 2)),
		at(10, pod("x", inGroup("g"), asking("cpu", "2"))), at(10, pod("y", inGroup("g"), asking("cpu", "2"))), idle(100_000))
	require.Empty(t, found)
}

func resized(cpu string) podOption {
	return func(p *corev1.Pod) {
		onNode(p)
		p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{"cpu": resource.MustParse(cpu)}
	}
}

func TestResizedPodsAreChargedForWhatTheyAskForNow(t *testing.T) {
	begin := []step{at(0, agent("a", -1)), at(0, queue("q", holding("cpu", "4"))),
		at(10, pod("x", asking("cpu", "2"))), at(20, pod("x", asking("cpu", "2"), onNode)), at(20, pod("y", asking("cpu", "2")))}
	for _, tt := range []struct {
		name string
		then []step
		want int
	}{
		{"a growing pod is no violation", []step{at(5000, pod("x", resized("9")))}, 0},
		{"what is bound beside it is", []step{at(5000, pod("x", resized("3"))), at(9000, pod("y", asking("cpu", "2"), onNode))}, 1},
		{"not while the scheduler may not have seen it", []step{at(5000, pod("x", resized("3"))), at(5100, pod("y", asking("cpu", "2"), onNode))}, 0},
		{"a shrinking pod makes room", []step{at(5000, pod("x", resized("1"))), at(9000, pod("y", asking("cpu", "2"), onNode)),
			at(9000, pod("z", asking("cpu", "1"))), at(9100, pod("z", asking("cpu", "1"), onNode))}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found, _ := play(DefaultConfig(), append(begin, tt.then...)...)
			require.Len(t, found, tt.want, "%v", found)
		})
	}
}

func TestPodsAreCounted(t *testing.T) {
	found, _ := play(DefaultConfig(), at(0, agent("a", -1)), at(0, queue("q", holding("pods", "1"))),
		at(10, pod("x", ownedBy("job"))), at(10, pod("y", ownedBy("job"))),
		at(5000, pod("x", ownedBy("job"), onNode)), at(5100, pod("y", ownedBy("job"), onNode)))
	require.Len(t, found, 1)
	require.Contains(t, found[0].Message, "2/1 pods")
}
