package audit

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func TestWorkflowLimit(t *testing.T) {
	base := []step{at(0, agent("a", -1)), at(0, queue("q")), at(0, flow("w", 1))}
	with := func(steps ...step) []step { return append(append([]step{}, base...), steps...) }
	x, y, z := opOf("w", "x"), opOf("w", "y"), opOf("w", "z")
	over := func(pod, says string) []found { return []found{{WorkflowLimit, pod, says}} }
	second := over("y", "workflow ns/w: 2/1 operations after the pod was released")
	runCases(t, []auditCase{
		{name: "one at a time", steps: with(at(2000, pod("x", x)), at(3000, pod("x", x, succeeded)), at(3010, pod("y", y)))},
		{name: "a pod without the gate", steps: with(at(2000, pod("x", x)), at(2010, pod("y", y))), want: second},
		{name: "the gate removed", steps: with(at(2000, pod("x", x)), at(2010, pod("y", y, kept)), at(2020, pod("y", y))), want: second},
		{name: "another gate keeps nobody from being in flight", steps: with(at(2000, pod("x", x)), at(2010, pod("y", y, gated, kept)), at(2020, pod("y", y, gated))), want: second},
		{name: "with the gate", steps: with(at(2000, pod("x", x)), at(2010, pod("y", y, kept)), idle(9000))},
		{name: "a gated one counts nowhere", steps: with(at(2000, pod("x", x, kept)), at(2010, pod("y", y)))},
		{name: "it has a node", steps: with(at(2000, pod("x", x)), at(2010, pod("x", x, onNode)), at(2020, pod("y", y))), want: second},
		{name: "it has none and is told so", steps: with(at(2000, pod("x", x, unschedulable)), at(2020, pod("y", y))), want: second},
		{name: "it failed", steps: with(at(2000, pod("x", x)), at(2010, pod("x", x, onNode, func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed })), at(2020, pod("y", y)))},
		{name: "it was deleted", steps: with(at(2000, pod("x", x)), gone(2010, pod("x", x)), at(2020, pod("y", y)))},
		{name: "it terminates", steps: with(at(2000, pod("x", x)), at(2010, pod("x", x, terminating)), at(2020, pod("y", y))), want: second},
		{name: "it is deleted and never ran", steps: with(at(2000, pod("x", x)), at(2010, pod("x", x, deleting)), at(2020, pod("y", y)))},
		{name: "its node has confirmed its end", steps: with(at(2000, pod("x", x)), at(2010, pod("x", x, confirmed)), at(2020, pod("y", y)))},
		{name: "two pods of one operation", steps: with(at(2000, pod("x", x)), at(2010, pod("x2", x)))},
		{name: "the last of them counts", steps: with(at(2000, pod("x", x)), at(2010, pod("x2", x)), at(2020, pod("x", x, succeeded)), at(2030, pod("y", y))), want: second},
		{name: "and no longer than it runs", steps: with(at(2000, pod("x", x)), at(2010, pod("x2", x)), at(2020, pod("x", x, succeeded)), at(2025, pod("x2", x, succeeded)), at(2030, pod("y", y)))},
		{name: "a retry is a start", steps: with(at(2000, pod("x", x)), at(2010, pod("x", x, succeeded)), at(2020, pod("z", z)), at(2030, pod("y", x, attempt("2")))), want: second},
		{name: "with room it may", steps: with(at(2000, pod("x", x)), at(2010, pod("x", x, succeeded)), at(2030, pod("x2", x, attempt("2"))))},
		{name: "the pod made again", steps: with(at(2000, pod("x", x)), gone(2010, pod("x", x)), at(2020, pod("z", z)), at(2030, pod("y", x))), want: second},
		{name: "nothing goes", steps: with(at(10, flow("w", 0)), at(2000, pod("y", y))), want: over("y", "1/0")},
		{name: "unlimited", steps: with(at(10, flow("w", -1)), at(2000, pod("x", x)), at(2000, pod("y", y)))},
		{name: "without a limit", steps: with(at(10, flow("w", 1, unbounded)), at(2000, pod("x", x)), at(2000, pod("y", y)))},
		{name: "of no workflow", steps: with(at(2000, pod("x")), at(2000, pod("y")))},
		{name: "of an operation of no workflow", steps: with(at(2000, pod("x", x, alone)), at(2000, pod("y", y, alone)))},
		{name: "of another workflow", steps: with(at(10, flow("v", 1)), at(2000, pod("x", opOf("v", "x"))), at(2000, pod("y", y)))},
		{name: "of another scheduler", steps: with(at(2000, pod("x", x)), at(2010, pod("y", y, func(p *corev1.Pod) { p.Spec.SchedulerName = "default" })))},
		{name: "there when the audit began", steps: with(there(pod("x", x)), there(pod("y", y)), idle(9000))},
		{name: "and counted", steps: with(there(pod("x", x, onNode)), at(2000, pod("y", y))), want: second},
		{name: "gated when the audit began", steps: with(there(pod("x", x)), there(pod("y", y, kept)), at(2000, pod("y", y))), want: second},
	})
}

// The limits 4 of a, 3 of b in it and 2 of c in that.
func TestWorkflowLimitsNest(t *testing.T) {
	base := []step{at(0, agent("a", -1)), at(0, queue("q")), at(0, flow("a", 4)), at(0, flow("b", 3, below("a"))), at(0, flow("c", 2, below("b"))),
		at(0, flow("d", 9, below("a")))}
	with := func(steps ...step) []step { return append(append([]step{}, base...), steps...) }
	// some are so many operations of a workflow.
	some := func(workflow string, n int) (steps []step) {
		for i := range n {
			name := workflow + string(rune('1'+i))
			steps = append(steps, at(2000, pod(name, opOf(workflow, name))))
		}
		return steps
	}
	join := func(all ...[]step) []step {
		steps := with()
		for _, s := range all {
			steps = append(steps, s...)
		}
		return steps
	}
	runCases(t, []auditCase{
		{name: "within all", steps: join(some("c", 2), some("b", 1), some("d", 1))},
		{name: "the innermost's", steps: join(some("c", 3)), want: []found{{WorkflowLimit, "c3", "workflow ns/c: 3/2"}}},
		{name: "the one around it", steps: join(some("b", 2), some("c", 2)), want: []found{{WorkflowLimit, "c2", "workflow ns/b: 4/3"}}},
		{name: "the outermost's", steps: join(some("c", 2), some("d", 3)), want: []found{{WorkflowLimit, "d3", "workflow ns/a: 5/4"}}},
		{name: "all at once", steps: join(some("b", 2), some("d", 1), some("c", 2), some("c", 3)[2:]),
			want: []found{{WorkflowLimit, "c2", "ns/b: 4/3"}, {WorkflowLimit, "c2", "ns/a: 5/4"},
				{WorkflowLimit, "c3", "ns/c: 3/2"}, {WorkflowLimit, "c3", "ns/b: 5/3"}, {WorkflowLimit, "c3", "ns/a: 6/4"}}},
		{name: "an end makes room at all levels", steps: join(some("c", 2), some("b", 1), some("d", 1), []step{gone(2010, pod("c2", opOf("c", "c2"))), at(2020, pod("c3", opOf("c", "c3")))})},
		{name: "an owner without the mark is none", steps: join([]step{at(10, flow("e", 9, below("c"), unmarked))}, some("e", 3))},
		{name: "seen after its pods", steps: join(some("e", 3), []step{at(2100, flow("e", 9, below("c"))), idle(9000)}), want: []found{{WorkflowLimit, "e3", "ns/c: 3/2"}}},
		{name: "its own limit too", steps: join(some("e", 2), []step{at(2100, flow("e", 1, below("c"))), idle(9000)}), want: []found{{WorkflowLimit, "e2", "ns/e: 2/1"}}},
		{name: "one of which no object is seen limits nothing", steps: join(some("e", 9))},
		{name: "a deleted one's limit holds for what is left", steps: join(some("c", 2), []step{gone(2010, flow("c", 2, below("b"))), at(2020, pod("c3", opOf("c", "c3")))}), want: []found{{WorkflowLimit, "c3", "ns/c: 3/2"}}},
		{name: "one that has left its parent", steps: join(some("d", 4), []step{at(2010, flow("d", 9)), at(2020, pod("b1", opOf("b", "b1")))})},
		{name: "it comes back", steps: join(some("d", 4), []step{at(2010, flow("d", 9)), at(2015, flow("d", 9, below("a"))), at(2020, pod("b1", opOf("b", "b1")))}), want: []found{{WorkflowLimit, "b1", "ns/a: 5/4"}}},
	})
}

func TestWorkflowLimitEdits(t *testing.T) {
	base := []step{at(0, agent("a", -1)), at(0, queue("q")), at(0, flow("w", 2))}
	with := func(steps ...step) []step { return append(append([]step{}, base...), steps...) }
	x, y, z := opOf("w", "x"), opOf("w", "y"), opOf("w", "z")
	two := []step{at(2000, pod("x", x)), at(2010, pod("y", y))}
	runs := func(steps ...step) []step { return with(append(append([]step{}, two...), steps...)...) }
	over := func(pod, says string) []found { return []found{{WorkflowLimit, pod, says}} }
	runCases(t, []auditCase{
		{name: "lowered below what is in flight", steps: runs(at(3000, flow("w", 0)), idle(9000))},
		{name: "what goes later must find room", steps: runs(at(2500, pod("z", z, kept)), at(3000, flow("w", 1)), gone(4000, pod("x", x)), at(4010, pod("z", z)), idle(9000)),
			want: over("z", "2/1")},
		{name: "and finds it", steps: runs(at(2500, pod("z", z, kept)), at(3000, flow("w", 1)), gone(4000, pod("x", x)), gone(4000, pod("y", y)), at(4010, pod("z", z)), idle(9000))},
		{name: "an operation made after the edit", steps: runs(at(3000, flow("w", 1)), gone(4000, pod("x", x)), at(4000, op("z", "w", v1alpha1.StatusQueued, "Pod")), at(4010, pod("z", z)), idle(9000)),
			want: over("z", "2/1")},
		{name: "an operation that may have been released before", steps: runs(at(2500, op("z", "w", v1alpha1.StatusQueued, "Pod")), at(3000, flow("w", 1)), gone(4000, pod("x", x)), at(4010, pod("z", z)), idle(9000))},
		{name: "but not then either", steps: runs(at(2500, op("z", "w", v1alpha1.StatusQueued, "Pod")), at(3000, flow("w", 1)), at(4010, pod("z", z)), idle(9000)),
			want: over("z", "3/2")},
		{name: "or before the audit began", steps: with(there(op("z", "w", v1alpha1.StatusQueued, "Pod")), at(100, flow("w", 0)), at(4010, pod("z", z)), idle(9000))},
		{name: "whatever the limit was", steps: []step{base[0], base[1], at(0, flow("w", 0)), there(op("z", "w", v1alpha1.StatusQueued, "Pod")), at(4010, pod("z", z)), idle(9000)}},
		{name: "or before two edits", steps: runs(at(2500, op("z", "w", v1alpha1.StatusQueued, "Pod")), at(3000, flow("w", 1)), at(3500, flow("w", 0)), gone(4000, pod("x", x)), at(4010, pod("z", z)), idle(9000))},
		{name: "it had a gate after the edit", steps: runs(at(2500, op("z", "w", v1alpha1.StatusQueued, "Pod")), at(3000, flow("w", 1)), gone(4000, pod("x", x)), at(4010, pod("z", z, kept)), gone(4020, pod("z", z, kept)),
			at(6000, pod("z2", z)), idle(9000)), want: over("z2", "2/1")},
		{name: "its next attempt was not", steps: with(there(op("z", "w", v1alpha1.StatusQueued, "Pod")), at(100, flow("w", 0)), at(4010, pod("z", z)), gone(5000, pod("z", z)), at(5010, pod("y", z, attempt("2"))), idle(9000)),
			want: over("y", "1/0")},
		{name: "an attempt keeps its release", steps: runs(at(3000, flow("w", 1)), gone(4000, pod("x", x)), at(5000, pod("x2", x)), idle(9000))},
		{name: "unless it is gated again", steps: runs(at(3000, flow("w", 1)), gone(4000, pod("x", x)), at(4500, pod("x2", x, kept)), at(6000, pod("x2", x)), idle(9000)),
			want: over("x2", "2/1")},
		{name: "the next does not", steps: runs(at(3000, flow("w", 1)), gone(4000, pod("x", x)), at(5000, pod("x2", x, attempt("2"))), idle(9000)),
			want: over("x2", "2/1")},
		{name: "the release crossed the edit", steps: runs(gone(3000, pod("x", x)), at(3000, pod("z", z, kept)), at(3010, flow("w", 1)), at(3020, pod("z", z)), idle(9000))},
		{name: "the raise is seen after the release", steps: runs(at(3000, pod("z", z)), at(3010, flow("w", 3)), idle(9000))},
		{name: "the raise comes too late", steps: runs(at(3000, pod("z", z)), at(4000, flow("w", 3)), idle(9000)), want: over("z", "3/2")},
		{name: "raised before", steps: runs(at(3000, flow("w", 3)), at(4000, pod("z", z)), idle(9000))},
		{name: "raised and lowered again", steps: runs(at(2100, flow("w", 3)), at(2200, flow("w", 2)), at(3000, pod("z", z)), idle(9000)), want: over("z", "3/2")},
		{name: "the limit is unset", steps: runs(at(2500, flow("w", 2, unbounded)), at(3000, pod("z", z)), idle(9000))},
		{name: "a workflow is new: its limit held before it was seen", steps: []step{at(0, agent("a", -1)), at(0, queue("q")), two[0], two[1], at(2100, flow("w", 1)), idle(9000)},
			want: over("y", "2/1")},
		{name: "seen long after", steps: []step{base[0], base[1], two[0], idle(3000), at(4000, flow("w", 1)), at(4010, pod("y", y)), idle(9000)}, want: over("y", "2/1")},
		{name: "the parent's limit was lowered", steps: with(at(0, flow("p", 2)), at(0, flow("w", 9, below("p"))), two[0], two[1], at(2500, pod("z", z, kept)), at(3000, flow("p", 1)), gone(4000, pod("x", x)), at(4010, pod("z", z)), idle(9000)),
			want: over("z", "workflow ns/p: 2/1")},
	})
}

func TestStuckInWorkflow(t *testing.T) {
	base := []step{at(0, agent("a", -1)), at(0, queue("q", seats(2))), at(0, flow("w", 2)), at(0, flow("v", 2, below("w")))}
	with := func(steps ...step) []step { return append(append([]step{}, base...), steps...) }
	x, y, z := opOf("v", "x"), opOf("v", "y"), opOf("w", "z")
	waits := at(100, pod("x", x, kept))
	stuck := func(says string) []found { return []found{{Stuck, "x", says}} }
	queued, running := v1alpha1.StatusQueued, v1alpha1.StatusRunning
	runCases(t, []auditCase{
		{name: "waits with room", steps: with(waits, idle(1200), idle(12000), idle(13000)), want: stuck("workflow ns/v 0/2 operations, workflow ns/w 0/2 operations")},
		{name: "seen again meanwhile", steps: with(waits, idle(1200), at(9000, pod("x", x, kept)), idle(12000)), want: stuck("")},
		{name: "and again", steps: with(waits, idle(1200), idle(12000), at(12100, pod("x", x, kept)), idle(14000)), want: stuck("")},
		{name: "not yet long enough", steps: with(waits, idle(1200), idle(10000))},
		{name: "a gang", steps: with(at(50, podGroup("g", 2)), at(100, pod("x", x, kept, inGroup("g"))), idle(1200), idle(30000))},
		{name: "it contradicts itself", steps: with(at(100, pod("x", x, kept, annotated("other"))), idle(1200), idle(30000))},
		{name: "a budget may be used up", steps: with(at(0, queue("q", spending("1", "0.99", 0))), waits, idle(1200), idle(30000))},
		{name: "released in time", steps: with(waits, idle(1200), at(9000, pod("x", x)), at(9010, pod("x", x, onNode)), idle(30000))},
		{name: "room for one", steps: with(waits, at(200, pod("y", y)), at(300, pod("y", y, onNode)), idle(1500), idle(13000)), want: stuck("v 1/2 operations, workflow ns/w 1/2")},
		{name: "no room", steps: with(at(0, flow("v", 1, below("w"))), waits, at(200, pod("y", y)), at(300, pod("y", y, onNode)), idle(1500), idle(30000))},
		{name: "no room in the parent", steps: with(at(0, flow("w", 1)), waits, at(200, pod("z", z)), at(300, pod("z", z, onNode)), idle(1500), idle(30000))},
		{name: "room came late", steps: with(at(0, flow("w", 0)), waits, idle(1200), at(20000, flow("w", 1)), idle(21500), idle(30000))},
		{name: "and nothing followed", steps: with(at(0, flow("w", 0)), waits, idle(1200), at(20000, flow("w", 1)), idle(21500), idle(32000)), want: stuck("w 0/1")},
		{name: "no limit at all", steps: with(at(0, flow("w", 1, unbounded)), at(0, flow("v", 1, below("w"), unbounded)), waits, idle(1200), idle(12000)), want: stuck("no workflow around it limits")},
		{name: "its queue is full", steps: with(at(0, queue("q", seats(1))), waits, at(200, pod("0")), at(300, pod("0", onNode)), idle(1500), idle(30000))},
		{name: "its queue is paused", steps: with(at(0, queue("q", paused)), waits, idle(1200), idle(30000))},
		{name: "its agent is full", steps: with(at(0, agent("a", 0)), waits, idle(1200), idle(30000))},
		{name: "it asks for more than there is", steps: with(at(0, queue("q", holding("cpu", "1"))), at(100, pod("x", x, kept, asking("cpu", "2"))), idle(1200), idle(30000))},
		{name: "in a strict queue behind another", steps: with(at(0, queue("q", strict, holding("cpu", "1"))), at(50, pod("0", asking("cpu", "1"))), at(60, pod("0", asking("cpu", "1"), onNode)),
			at(70, pod("1", asking("cpu", "1"))), waits, idle(1200), idle(30000))},
		{name: "alone in a strict queue", steps: with(at(0, queue("q", strict)), waits, idle(1200), idle(12000)), want: stuck("")},
		{name: "its workflow is stopped", steps: with(at(0, flow("v", 2, below("w"), halted)), waits, idle(1200), idle(30000))},
		{name: "the parent is stopped", steps: with(at(0, flow("w", 2, halted)), waits, idle(1200), idle(30000))},
		{name: "its workflow is being deleted", steps: with(at(0, flow("v", 2, below("w"), func(w *v1alpha1.Workflow) { w.DeletionTimestamp = &w.CreationTimestamp })), waits, idle(1200), idle(30000))},
		{name: "its workflow is gone", steps: with(waits, gone(200, flow("v", 2, below("w"))), idle(1200), idle(30000))},
		{name: "of its workflow nothing is seen", steps: with(at(100, pod("x", opOf("u", "x"), kept)), idle(1200), idle(30000))},
		{name: "its operation is being stopped", steps: with(at(50, op("x", "v", v1alpha1.StatusStopping, "Pod")), waits, idle(1200), idle(30000))},
		{name: "its operation is queued", steps: with(at(50, op("x", "v", queued, "Pod")), waits, idle(1200), idle(12000)), want: stuck("")},
		{name: "another gate", steps: with(at(100, pod("x", x, gated, kept)), idle(1200), idle(30000))},
		{name: "it is being deleted", steps: with(waits, at(200, pod("x", x, kept, deleting)), idle(1200), idle(30000))},
		{name: "others go: a slow controller is not a stuck one", steps: with(waits, idle(1200), at(9000, pod("z", z)), gone(9100, pod("z", z)), idle(12000))},
		{name: "until they do not", steps: with(waits, idle(1200), at(9000, pod("z", z)), gone(9100, pod("z", z)), idle(12000), idle(20000)), want: stuck("")},
		{name: "a busy queue", steps: with(waits, idle(1200), at(9000, pod("0")), at(9010, pod("0", onNode)), idle(12000))},
		{name: "Jobs run unseen", steps: with(at(50, op("j", "w", running, "Job")), at(50, op("k", "w", queued, "Job")), waits, idle(1200), idle(30000))},
		{name: "one Job leaves room", steps: with(at(50, op("j", "w", running, "Job")), waits, idle(1200), idle(12000)), want: stuck("")},
		{name: "a pod that runs is seen once", steps: with(at(50, op("y", "v", running, "Pod")), at(50, op("k", "v", v1alpha1.StatusSucceeded, "Job")), waits, at(200, pod("y", y)), at(300, pod("y", y, onNode)), idle(1500), idle(13000)), want: stuck("")},
		{name: "a pod that ended is not in flight", steps: with(at(0, flow("w", 1)), at(50, op("y", "v", running, "Pod")), waits, at(200, pod("y", y)), gone(300, pod("y", y)), idle(1500), idle(13000)), want: stuck("")},
		{name: "nor is one twice whose pod waits", steps: with(at(50, op("y", "v", queued, "Pod")), at(60, pod("y", y, unschedulable)), waits, idle(1200), idle(12000)), want: stuck("v 1/2")},
		{name: "others of its workflow may lie in a long line", steps: with(at(50, op("y", "v", queued, "Pod")), at(50, op("z", "w", queued, "Pod")), at(60, pod("0", asking("cpu", "9"), unschedulable)),
			waits, idle(1200), idle(30000))},
		{name: "not if they have gates", steps: with(at(50, op("y", "v", queued, "Pod")), at(50, op("z", "w", queued, "Pod")), at(60, pod("0", asking("cpu", "9"), unschedulable)),
			waits, at(100, pod("y", y, kept)), at(100, pod("z", z, kept)), idle(1200), idle(12000)), want: []found{{Stuck, "x", ""}, {Stuck, "y", ""}, {Stuck, "z", ""}}},
		{name: "not where others run", steps: with(at(50, op("y", "v", queued, "Pod")), at(50, op("z", "w", queued, "Pod")), at(60, pod("0")), at(70, pod("0", onNode)), waits, idle(1200), idle(12000)), want: stuck("")},
		{name: "not where nothing waits", steps: with(at(50, op("y", "v", queued, "Pod")), at(50, op("z", "w", queued, "Pod")), waits, idle(1200), idle(12000)), want: stuck("")},
		{name: "those that are gone do not", steps: with(at(50, op("y", "v", queued, "Pod")), at(50, op("z", "w", queued, "Pod")), gone(55, op("y", "v", queued, "Pod")), at(60, pod("0", asking("cpu", "9"), unschedulable)),
			waits, idle(1200), idle(12000)), want: stuck("")},
	})
}

func TestWorkflowSummary(t *testing.T) {
	_, a := play(DefaultConfig(), at(0, agent("a", -1)), at(0, queue("q")), at(0, flow("w", 3)), at(0, flow("v", 2, below("w"))),
		at(1000, pod("1", opOf("v", "1"))), at(1000, pod("2", opOf("v", "2"))), at(1000, pod("3", opOf("w", "3"))), at(1000, pod("4", opOf("w", "4"), kept)),
		gone(2000, pod("1", opOf("v", "1"))), at(2000, pod("4", opOf("w", "4"))), at(3000, flow("w", 5)), at(3000, flow("w", 1)), at(6000, flow("u", 0, unbounded)), at(6000, pod("5", opOf("t", "5"))), at(6000, pod("6", opOf("t", "6"))),
		idle(9000), at(9000, flow("t", 9)), gone(9100, pod("6", opOf("t", "6"))))
	require.Equal(t, []WorkflowSummary{{"ns/t", 2, 9}, {"ns/u", 0, -1}, {"ns/v", 2, 2}, {"ns/w", 3, 5}}, a.WorkflowSummary())
}
