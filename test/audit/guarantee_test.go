package audit

import (
	"testing"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func guaranteed(n int32) queueOption { return func(q *v1alpha1.Queue) { q.Spec.Guaranteed = n } }

func TestGuarantee(t *testing.T) {
	high, low := in("high"), in("low")
	// The low queue is guaranteed one of the seats.
	with := func(concurrency int32, steps ...step) []step {
		return append([]step{at(0, agent("a", concurrency)), at(0, queue("high", priority(5))), at(0, queue("low", priority(1), guaranteed(1)))}, steps...)
	}
	runs := func(ms int, name string, queue podOption) []step {
		return []step{at(ms, pod(name, queue)), at(ms+10, pod(name, queue, onNode))}
	}
	waitsHigh := at(100, pod("h", high))
	runCases(t, []auditCase{
		{name: "the lower level takes the seat kept for it", steps: with(1, append([]step{waitsHigh}, runs(3000, "l", low)...)...)},
		{name: "but not a second", steps: with(2, append([]step{waitsHigh}, append(runs(3000, "l1", low), runs(3100, "l2", low)...)...)...),
			want: []found{{LevelOrder, "l2", "pod ns/h of queue high"}}},
		{name: "a third queue takes the last seat that is not kept", steps: append(with(2, at(0, queue("last", priority(0))), waitsHigh), runs(3000, "l", in("last"))...),
			want: []found{{LevelOrder, "l", "pod ns/h of queue high"}}},
		{name: "the higher level takes the seat kept for the lower", steps: with(2, append(runs(3000, "h1", high), runs(3100, "h2", high)...)...),
			want: []found{{KeptSeat, "h2", "took a seat of agent a that is kept for another queue"}}},
		{name: "the higher level takes what is not kept", steps: with(2, runs(3000, "h1", high)...)},
		{name: "and waits for no more", steps: with(2, append(runs(0, "h1", high), at(100, pod("h2", high)), idle(20000))...)},
		{name: "though it has room", steps: with(3, append(runs(0, "h1", high), at(100, pod("h2", high)), idle(20000))...),
			want: []found{{Stuck, "h2", "agent a 1/3"}}},
		{name: "the low queue uses its seat", steps: with(2, append(runs(3000, "l", low), runs(3100, "h", high)...)...)},
		{name: "no more is kept than the queue may use", steps: append(with(2, at(0, queue("low", priority(1), guaranteed(2), seats(1)))), runs(3000, "h", high)...)},
		{name: "the higher level's guarantee comes first", steps: append(with(1, at(0, queue("high", priority(5), guaranteed(1)))), runs(3000, "h", high)...)},
		{name: "the guarantee was just given", steps: with(2, append(append([]step{at(50, queue("low", priority(1)))}, runs(3000, "h1", high)...),
			at(3100, pod("h2", high)), at(3105, queue("low", priority(1), guaranteed(1))), at(3110, pod("h2", high, onNode)))...)},
		{name: "an agent without a limit keeps nothing", steps: with(-1, append(runs(3000, "h1", high), runs(3100, "h2", high)...)...)},
		{name: "the queue went to another agent", steps: append(with(1, at(0, agent("b", 1)), at(10, queue("low", priority(1), guaranteed(1), servedBy("b")))), runs(3000, "h", high)...)},
	})
}
