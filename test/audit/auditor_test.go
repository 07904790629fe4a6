package audit

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

// found is a violation without its time and message.
type found struct {
	rule Rule
	pod  string
	says string // part of the message
}

type auditCase struct {
	name  string
	steps []step
	want  []found
}

func runCases(t *testing.T, cases []auditCase) {
	config := Config{EditWindow: 500 * time.Millisecond, OrderGrace: 2 * time.Second, StuckAfter: 10 * time.Second}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, _ := play(config, c.steps...)
			require.Len(t, got, len(c.want), "violations: %v", got)
			for i, w := range c.want {
				require.Equal(t, w.rule, got[i].Rule)
				require.Equal(t, "ns/"+w.pod, got[i].Pod)
				require.Contains(t, got[i].Message, w.says)
			}
		})
	}
}

func TestOverLimit(t *testing.T) {
	base := []step{at(0, agent("a", -1)), at(0, queue("q", seats(1)))}
	with := func(steps ...step) []step { return append(append([]step{}, base...), steps...) }
	both := func(first, second podOption) []step {
		return []step{at(2000, pod("1", first)), at(2000, pod("2", second)),
			at(2010, pod("1", first, onNode)), at(2020, pod("2", second, onNode))}
	}
	plain := func(name string) []step { return []step{at(2000, pod(name)), at(2010, pod(name, onNode))} }
	runCases(t, []auditCase{
		{name: "one seat, one pod", steps: with(plain("1")...)},
		{name: "one seat, two pods", steps: with(append(plain("1"), plain("2")...)...),
			want: []found{{OverLimit, "2", "queue q: 2/1 operations"}}},
		{name: "the first has ended", steps: with(at(2000, pod("1")), at(2000, pod("2")), at(2010, pod("1", onNode)),
			at(2020, pod("1", succeeded)), at(2030, pod("2", onNode)))},
		{name: "the first was deleted", steps: with(at(2000, pod("1")), at(2000, pod("2")), at(2010, pod("1", onNode)),
			gone(2020, pod("1", terminating)), at(2030, pod("2", onNode)))},
		{name: "a terminating pod still occupies", steps: with(at(2000, pod("1")), at(2000, pod("2")), at(2010, pod("1", onNode)),
			at(2020, pod("1", terminating)), at(2030, pod("2", onNode))),
			want: []found{{OverLimit, "2", "2/1"}}},
		{name: "two pods of one Job share a seat", steps: with(both(ownedBy("job"), ownedBy("job"))...)},
		{name: "pods of two Jobs do not", steps: with(both(ownedBy("job"), ownedBy("other"))...),
			want: []found{{OverLimit, "2", "2/1"}}},
		{name: "a limit lowered below what runs", steps: []step{at(0, agent("a", -1)), at(0, queue("q", seats(2))),
			at(2000, pod("1")), at(2000, pod("2")), at(2010, pod("1", onNode)), at(2020, pod("2", onNode)), at(3000, queue("q", seats(0))), idle(9000)}},
		{name: "a bind above a limit lowered before", steps: with(at(1000, queue("q", seats(0))), at(2000, pod("1")), at(2010, pod("1", onNode))),
			want: []found{{OverLimit, "1", "queue q: 1/0 operations"}}},
		{name: "the bind crossed the edit", steps: with(at(2000, pod("1")), at(2000, queue("q", seats(0))), at(2010, pod("1", onNode)), idle(9000))},
		{name: "the raise is seen after the bind", steps: with(at(2000, pod("1")), at(2000, pod("2")), at(2010, pod("1", onNode)),
			at(2020, pod("2", onNode)), at(2030, queue("q", seats(2))), idle(9000))},
		{name: "the raise comes too late", steps: with(at(2000, pod("1")), at(2000, pod("2")), at(2010, pod("1", onNode)),
			at(2020, pod("2", onNode)), at(3000, queue("q", seats(2))), idle(9000)),
			want: []found{{OverLimit, "2", "2/1"}}},
		{name: "a paused queue admits nothing", steps: []step{at(0, agent("a", -1)), at(0, queue("q", paused)), at(2000, pod("1")), at(2010, pod("1", onNode))},
			want: []found{{OverLimit, "1", "queue q: 1/0"}}},
		{name: "a missing queue admits nothing", steps: []step{at(2000, pod("1", in("none"))), at(2010, pod("1", in("none"), onNode))},
			want: []found{{OverLimit, "1", "queue none: 1/0"}}},
		{name: "found running when the audit begins", steps: with(at(10, pod("1", onNode)), at(10, pod("2", onNode)), idle(9000))},
		{name: "over what was found running", steps: with(at(10, pod("1", onNode)), at(2000, pod("2")), at(2010, pod("2", onNode))),
			want: []found{{OverLimit, "2", "2/1"}}},
		{name: "the agent's seats", steps: append([]step{at(0, agent("a", 1)), at(0, queue("q")), at(0, queue("p"))}, both(in("q"), in("p"))...),
			want: []found{{OverLimit, "2", "agent a: 2/1"}}},
		{name: "another agent's seats", steps: append([]step{at(0, agent("a", 1)), at(0, agent("b", 1)), at(0, queue("q")), at(0, queue("p", servedBy("b")))}, both(in("q"), in("p"))...)},
		{name: "the project's and the organization's seats", steps: append([]step{at(0, agent("a", -1)), at(0, queue("q")), at(0, organization("o", 1)), at(0, project("x", "o", 1))}, both(of("x"), of("x"))...),
			want: []found{{OverLimit, "2", "project x: 2/1"}, {OverLimit, "2", "organization o: 2/1"}}},
		{name: "the organization's seats over two projects", steps: append([]step{at(0, agent("a", -1)), at(0, queue("q")), at(0, organization("o", 1)), at(0, project("x", "o", 1)), at(0, project("y", "o", 1))}, both(of("x"), of("y"))...),
			want: []found{{OverLimit, "2", "organization o: 2/1"}}},
		{name: "an unlabelled pod counts against the project of its namespace", steps: append([]step{at(0, agent("a", -1)), at(0, queue("default")), at(0, project("x", "", 1))}, both(unlabelled, unlabelled)...),
			want: []found{{OverLimit, "2", "project x: 2/1"}}},
		{name: "the annotation names the queue", steps: with(at(2000, pod("1")), at(2010, pod("1", onNode)), at(2020, pod("2", unlabelled, annotated("a/q"))), at(2030, pod("2", unlabelled, annotated("a/q"), onNode))),
			want: []found{{OverLimit, "2", "2/1"}}},
		{name: "the label removed from a running pod frees nothing", steps: with(at(2000, pod("1")), at(2010, pod("1", onNode)), at(2020, pod("1", unlabelled, onNode)), at(2030, pod("2")), at(2040, pod("2", onNode))),
			want: []found{{OverLimit, "2", "2/1"}}},
		{name: "gpus within the quota", steps: append([]step{at(0, agent("a", -1)), at(0, queue("q", holding("nvidia.com/gpu", "4")))}, both(asking("nvidia.com/gpu", "2"), asking("nvidia.com/gpu", "2"))...)},
		{name: "gpus above the quota", steps: append([]step{at(0, agent("a", -1)), at(0, queue("q", holding("nvidia.com/gpu", "4")))}, both(asking("nvidia.com/gpu", "2"), asking("nvidia.com/gpu", "3"))...),
			want: []found{{OverLimit, "2", "queue q: 5/4 nvidia.com/gpu"}}},
		{name: "cpu in other units", steps: append([]step{at(0, agent("a", -1)), at(0, queue("q", holding("cpu", "1")))}, both(asking("cpu", "600m"), asking("cpu", "0.5"))...),
			want: []found{{OverLimit, "2", "queue q: 1100m/1 cpu"}}},
		{name: "amounts count for every pod of an operation", steps: append([]step{at(0, agent("a", -1)), at(0, queue("q", holding("cpu", "1")))},
			at(2000, pod("1", ownedBy("job"), asking("cpu", "1"))), at(2000, pod("2", ownedBy("job"), asking("cpu", "1"))),
			at(2010, pod("1", ownedBy("job"), asking("cpu", "1"), onNode)), at(2020, pod("2", ownedBy("job"), asking("cpu", "1"), onNode))),
			want: []found{{OverLimit, "2", "2/1 cpu"}}},
		{name: "a pod that asks for none of an exhausted resource", steps: append([]step{at(0, agent("a", -1)), at(0, queue("q", holding("cpu", "1")))}, both(asking("cpu", "1"), asking("memory", "1Gi"))...)},
		{name: "bound to another node", steps: with(at(2000, pod("1")), at(2010, pod("1", onNode)), at(2020, pod("1", func(p *corev1.Pod) { p.Spec.NodeName = "other" }))),
			want: []found{{Rebound, "1", "from node node to other"}}},
		{name: "a queue moved to another agent counts there", steps: []step{at(0, agent("a", 1)), at(0, agent("b", 1)), at(0, queue("q")), at(0, queue("p", servedBy("b"))),
			at(2000, pod("1")), at(2010, pod("1", onNode)), at(3000, queue("q", servedBy("b"))), at(5000, pod("2", in("p"))), at(5010, pod("2", in("p"), onNode))},
			want: []found{{OverLimit, "2", "agent b: 2/1"}}},
	})
}

func TestLevelOrder(t *testing.T) {
	world := []step{at(0, agent("a", 1)), at(0, queue("high", priority(5), seats(1))), at(0, queue("low", priority(1)))}
	with := func(steps ...step) []step { return append(append([]step{}, world...), steps...) }
	high, low := in("high"), in("low")
	runCases(t, []auditCase{
		{name: "the lower level takes the seat", steps: with(at(100, pod("h", high)), at(100, pod("l", low)), at(3000, pod("l", low, onNode))),
			want: []found{{LevelOrder, "l", "pod ns/h of queue high at level 5"}}},
		{name: "within the grace", steps: with(at(1500, pod("h", high)), at(1500, pod("l", low)), at(3000, pod("l", low, onNode)))},
		{name: "a seat is left", steps: append([]step{at(0, agent("a", 2))}, append(world[1:len(world):len(world)], at(100, pod("h", high)), at(100, pod("l", low)), at(3000, pod("l", low, onNode)))...)},
		{name: "no competition: the agent has no limit", steps: append([]step{at(0, agent("a", -1))}, append(world[1:len(world):len(world)], at(100, pod("h", high)), at(100, pod("l", low)), at(3000, pod("l", low, onNode)))...)},
		{name: "the higher goes first", steps: with(at(100, pod("h", high)), at(100, pod("l", low)), at(3000, pod("h", high, onNode)), at(3500, pod("h", high, succeeded)), at(3600, pod("l", low, onNode)))},
		{name: "unset is the highest level", steps: with(at(0, queue("top")), at(100, pod("t", in("top"))), at(100, pod("h", high)), at(3000, pod("h", high, onNode))),
			want: []found{{LevelOrder, "h", "level highest"}}},
		{name: "inside a level anyone may go", steps: with(at(0, queue("peer", priority(5))), at(100, pod("h", high)), at(100, pod("p", in("peer"))), at(3000, pod("p", in("peer"), onNode)))},
		{name: "the higher queue is full", steps: []step{at(0, agent("a", 2)), at(0, queue("high", priority(5), seats(1))), at(0, queue("low", priority(1))),
			at(100, pod("h1", high)), at(110, pod("h1", high, onNode)), at(120, pod("h2", high)), at(120, pod("l", low)), at(3000, pod("l", low, onNode))}},
		{name: "the higher is unschedulable", steps: with(at(100, pod("h", high, unschedulable)), at(100, pod("l", low)), at(3000, pod("l", low, onNode)))},
		{name: "the higher is gated", steps: with(at(100, pod("h", high, gated)), at(100, pod("l", low)), at(3000, pod("l", low, onNode)))},
		{name: "the higher queue is paused", steps: with(at(50, queue("high", priority(5), paused)), at(100, pod("h", high)), at(100, pod("l", low)), at(3000, pod("l", low, onNode)))},
		{name: "the levels were just swapped", steps: with(at(100, pod("h", high)), at(100, pod("l", low)), at(2900, queue("low", priority(9))), at(3000, pod("h", high)), at(3010, pod("l", low, onNode)))},
		{name: "the agent's limit was raised meanwhile", steps: with(at(100, pod("h", high)), at(100, pod("l", low)), at(3000, pod("l", low, onNode)), at(3100, agent("a", 2)), idle(9000))},
		{name: "another pod of a seated operation takes no seat", steps: with(at(100, pod("l1", low, ownedBy("job"))), at(110, pod("l1", low, ownedBy("job"), onNode)),
			at(120, pod("h", high)), at(120, pod("l2", low, ownedBy("job"))), at(3000, pod("l2", low, ownedBy("job"), onNode)))},
		{name: "a strict queue's second waits for its head", steps: append(headBlocked(strict), at(3000, pod("l", low, onNode)))},
		{name: "a best-effort queue's second does not", steps: append(headBlocked(), at(3000, pod("l", low, onNode))),
			want: []found{{LevelOrder, "l", "pod ns/h2"}}},
	})
}

// headBlocked is a queue of a higher level whose first operation lacks cpu and whose second does not.
func headBlocked(options ...queueOption) []step {
	options = append(options, priority(5), holding("cpu", "4"))
	running, head, second := asking("cpu", "2"), asking("cpu", "3"), asking("cpu", "1")
	return []step{at(0, agent("a", 2)), at(0, queue("high", options...)), at(0, queue("low", priority(1))),
		at(100, pod("h0", in("high"), running)), at(110, pod("h0", in("high"), running, onNode)),
		at(120, pod("h1", in("high"), head, created(0))), at(120, pod("h2", in("high"), second, created(1))), at(120, pod("l", in("low")))}
}

func TestStuck(t *testing.T) {
	world := []step{at(0, agent("a", 2)), at(0, queue("q", seats(1)))}
	with := func(steps ...step) []step { return append(append([]step{}, world...), steps...) }
	runCases(t, []auditCase{
		{name: "waits with room", steps: with(at(100, pod("1")), idle(11000), idle(20000)),
			want: []found{{Stuck, "1", "queue q 0/1 operations, agent a 0/2 operations"}}},
		{name: "not yet long enough", steps: with(at(100, pod("1")), idle(9000))},
		{name: "no room", steps: with(at(0, pod("0", onNode)), at(100, pod("1")), idle(20000))},
		{name: "room came late", steps: with(at(0, pod("0", onNode)), at(100, pod("1")), at(15000, pod("0", succeeded)), idle(20000))},
		{name: "room came and nothing followed", steps: with(at(0, pod("0", onNode)), at(100, pod("1")), at(15000, pod("0", succeeded)), idle(26000)),
			want: []found{{Stuck, "1", "0/1"}}},
		{name: "no seat at the agent", steps: []step{at(0, agent("a", 0)), at(0, queue("q", seats(1))), at(100, pod("1")), idle(20000)}},
		{name: "unschedulable", steps: with(at(100, pod("1", unschedulable)), idle(20000))},
		{name: "gated", steps: with(at(100, pod("1", gated)), idle(20000))},
		{name: "paused", steps: []step{at(0, agent("a", 2)), at(0, queue("q", paused)), at(100, pod("1")), idle(20000)}},
		{name: "opened again", steps: []step{at(0, agent("a", 2)), at(0, queue("q", paused)), at(100, pod("1")), at(20000, queue("q")), idle(31000)},
			want: []found{{Stuck, "1", ""}}},
		{name: "the queue does not exist", steps: with(at(100, pod("1", in("none"))), idle(20000))},
		{name: "its agent does not exist", steps: with(at(10, queue("q", servedBy("none"))), at(100, pod("1")), idle(20000))},
		{name: "its project does not claim the namespace", steps: with(at(100, pod("1", of("none"))), idle(20000))},
		{name: "two projects claim its namespace and it names none", steps: with(at(10, project("x", "", -1)), at(10, project("y", "", -1)), at(100, pod("1")), idle(20000))},
		{name: "names another agent than its queue's", steps: with(at(100, pod("1", in("b.q"))), idle(20000))},
		{name: "label and annotation say the same in two ways", steps: with(at(100, pod("1", annotated("a/q"))), idle(20000)),
			want: []found{{Stuck, "1", ""}}},
		{name: "label and annotation differ", steps: with(at(100, pod("1", annotated("other"))), idle(20000))},
		{name: "asks for more than the quota", steps: []step{at(0, agent("a", 2)), at(0, queue("q", holding("cpu", "1"))), at(100, pod("1", asking("cpu", "2"))), idle(20000)}},
		{name: "the queue still binds: a slow scheduler is not a stuck one", steps: with(at(0, queue("q", seats(9))), at(100, pod("1")), at(9000, pod("2")), at(9010, pod("2", onNode)), idle(12000))},
		{name: "younger ones overtake it", steps: with(at(0, queue("q", seats(9))), at(0, agent("a", -1)), at(100, pod("1")), at(6000, pod("0")), at(6010, pod("0", onNode)), at(11000, pod("2", created(11000))), at(11010, pod("2", created(11000), onNode)), idle(13000)),
			want: []found{{Stuck, "1", "2/9"}}},
		{name: "a pod of a seated operation needs no seat", steps: with(at(0, pod("1", ownedBy("job"), onNode)), at(100, pod("2", ownedBy("job"))), idle(20000)),
			want: []found{{Stuck, "2", "queue q 1/1"}}},
		{name: "the head of a strict queue", steps: []step{at(0, agent("a", 2)), at(0, queue("q", strict)), at(100, pod("1", created(0))), at(100, pod("2", created(1))), idle(20000)},
			want: []found{{Stuck, "1", ""}}},
	})
}

func TestSummary(t *testing.T) {
	_, a := play(DefaultConfig(), at(0, agent("a", -1)), at(0, queue("q", seats(2))),
		at(0, pod("1")), at(0, pod("2")), at(0, pod("3")),
		at(1000, pod("1", onNode)), at(2000, pod("2", onNode)), at(3000, pod("1", succeeded)), at(4000, pod("3", onNode)), gone(5000, pod("2", terminating)))
	require.Equal(t, []QueueSummary{{Queue: "q", Peak: 2, Limit: 2, Operations: 3, Started: 3, Finished: 2, WaitP50: 2, WaitP95: 4, WaitMax: 4}}, a.Summary())
}
