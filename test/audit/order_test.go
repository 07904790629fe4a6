package audit

import (
	"testing"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// A strict queue serves its head: which of two that is depends on since when they are in line, and
// on their priority.
func TestPlaceInLine(t *testing.T) {
	with := func(managed bool, steps ...step) []step {
		return append([]step{at(0, namespace("ns", managed)), at(0, agent("a", -1)), at(0, queue("q", strict))}, steps...)
	}
	first := func(name string) []found { return []found{{Stuck, name, ""}} }
	again := func(ms int, options ...podOption) podOption {
		return all(append(options, created(5000), queuedSince(ms))...)
	}
	other := at(5000, pod("b", created(2000)))
	runCases(t, []auditCase{
		{name: "the older", steps: with(true, at(5000, pod("a", created(5000))), other, idle(20_000)), want: first("b")},
		{name: "the one that was in line before", steps: with(true, at(5000, pod("a", again(1000))), other, idle(20_000)), want: first("a")},
		{name: "by part of a second", steps: with(true, at(5000, pod("a", again(1999))), other, idle(20_000)), want: first("a")},
		{name: "or later by as much", steps: with(true, at(5000, pod("a", again(2001))), other, idle(20_000)), want: first("b")},
		{name: "only the controller says so", steps: with(false, at(5000, pod("a", again(1000))), other, idle(20_000)), want: first("b")},
		{name: "nobody is in line after its creation", steps: with(true, at(5000, pod("a", created(1000), queuedSince(60_000))), other, idle(20_000)), want: first("a")},
		{name: "what cannot be read says nothing", steps: with(true, at(5000, pod("a", created(5000), annotating(v1alpha1.QueuedTimeAnnotation, "then"))), other, idle(20_000)), want: first("b")},
		{name: "nor what is older than time", steps: with(true, at(5000, pod("a", created(5000), annotating(v1alpha1.QueuedTimeAnnotation, "0001-01-01T00:00:00Z"))), other, idle(20_000)), want: first("b")},
		{name: "the higher priority, whoever was there before", steps: with(true, at(5000, pod("a", created(5000), annotating(v1alpha1.PriorityAnnotation, "7"))), other, idle(20_000)), want: first("a")},
		{name: "the lower one waits", steps: with(true, at(5000, pod("a", created(1000), annotating(v1alpha1.PriorityAnnotation, "-7"))), other, idle(20_000)), want: first("b")},
		{name: "a priority that is none", steps: with(true, at(5000, pod("a", created(5000), annotating(v1alpha1.PriorityAnnotation, "top"))), other, idle(20_000)), want: first("b")},
	})
}

// A repeated run that was in line long ago overtakes nobody, nor does a higher priority.
func TestOvertaking(t *testing.T) {
	waits := []step{at(0, namespace("ns", true)), at(0, agent("a", -1)), at(0, queue("q", seats(9))), at(3000, pod("w", created(3000)))}
	passes := func(options ...podOption) []step {
		// Something is bound before, so that the queue is never quiet.
		steps := append(append([]step{}, waits...), at(13_000, pod("p", append(options, created(30_000))...)))
		return append(steps, at(13_010, pod("p", append(options, created(30_000), onNode)...)), idle(14_500))
	}
	runCases(t, []auditCase{
		{name: "a younger one passes", steps: passes(), want: []found{{Stuck, "w", ""}}},
		{name: "a repeated run keeps its place", steps: passes(queuedSince(1000))},
		{name: "a higher priority goes first", steps: passes(annotating(v1alpha1.PriorityAnnotation, "1"))},
		{name: "a lower one does not", steps: passes(annotating(v1alpha1.PriorityAnnotation, "-1")), want: []found{{Stuck, "w", ""}}},
	})
}

// The project of a pod is that of the namespace of its operation.
func TestOrigin(t *testing.T) {
	owner := project("x", "", 1)
	owner.Spec.Namespaces.Names = []string{"home"}
	from := annotating(v1alpha1.OriginAnnotation, "home")
	with := func(managed bool, steps ...step) []step {
		return append([]step{at(0, namespace("ns", managed)), at(0, namespace("home", true)), at(0, agent("a", -1)), at(0, queue("q")), at(0, owner)}, steps...)
	}
	two := []step{at(100, pod("1", from)), at(100, pod("2", from)), at(5000, pod("1", from, onNode)), at(5010, pod("2", from, onNode))}
	runCases(t, []auditCase{
		{name: "it counts there", steps: with(true, two...), want: []found{{OverLimit, "2", "project x: 2/1"}}},
		{name: "not where nobody guards what it says", steps: with(false, two...)},
		{name: "it waits where it is served", steps: with(true, at(100, pod("1", from)), idle(12_000)), want: []found{{Stuck, "1", "project x 0/1"}}},
		{name: "the namespace is gone", steps: append(with(true, gone(50, namespace("home", true)), at(100, pod("1", from))), idle(12_000))},
	})
}

func TestDeclarationsThatCannotBeRead(t *testing.T) {
	with := func(key, value string) []step {
		return []step{at(0, agent("a", -1)), at(0, queue("q")), at(100, pod("1", annotating(key, value))), idle(12_000)}
	}
	stuck := []found{{Stuck, "1", ""}}
	runCases(t, []auditCase{
		{name: "a runtime", steps: with(v1alpha1.MaxRuntimeAnnotation, "20m"), want: stuck},
		{name: "no runtime", steps: with(v1alpha1.MaxRuntimeAnnotation, "90")},
		{name: "none of nothing", steps: with(v1alpha1.MaxRuntimeAnnotation, "0s")},
		{name: "not preemptible", steps: with(v1alpha1.PreemptibleAnnotation, "false"), want: stuck},
		{name: "neither", steps: with(v1alpha1.PreemptibleAnnotation, "no")},
	})
}
