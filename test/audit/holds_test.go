package audit

import "testing"

// A queue of 4 cpus, of which one is used and the other three could serve what waits.
func TestHeldRoom(t *testing.T) {
	world := []step{at(0, agent("a", -1)), at(0, queue("q", priority(5), holding("cpu", "4"))),
		at(10, pod("old", asking("cpu", "1"))), at(20, pod("old", asking("cpu", "1"), onNode))}
	with := func(steps ...step) []step { return append(append([]step{}, world...), steps...) }
	big := func(options ...podOption) step {
		return at(100, pod("big", append([]podOption{asking("cpu", "4")}, options...)...))
	}
	small := at(200, pod("small", asking("cpu", "1")))
	held, reserved := saying("RoomHeld"), saying("RoomReserved")
	stuck := []found{{Stuck, "small", "queue q 1/4 cpu"}}
	runCases(t, []auditCase{
		{name: "without a hold it is to go", steps: with(big(), small, idle(11000)), want: stuck},
		{name: "room is held for one that lacks it", steps: with(big(reserved), small, idle(11000), idle(300_000))},
		{name: "others make way for it", steps: with(big(saying("Preempting")), small, idle(11000), idle(300_000))},
		{name: "to say that room is held for others holds none", steps: with(big(held), small, idle(11000)), want: stuck},
		{name: "nor does saying so of oneself", steps: with(at(200, pod("small", asking("cpu", "1"), held)), idle(11000)), want: stuck},
		{name: "there is room for both", steps: with(at(100, pod("big", asking("cpu", "2"), reserved)), small, idle(11000)),
			want: []found{{Stuck, "big", "1/4 cpu"}, {Stuck, "small", "1/4 cpu"}}},
		{name: "who has room is to take it", steps: with(at(100, pod("big", asking("cpu", "3"), reserved)), small, idle(11000)),
			want: []found{{Stuck, "big", "1/4 cpu"}, {Stuck, "small", "1/4 cpu"}}},
		{name: "the hold ends when the one it is for goes away", steps: with(big(reserved), small, idle(11000), gone(12000, pod("big")), idle(21000), idle(23000)), want: stuck},
		{name: "or says something else", steps: with(big(reserved), small, idle(11000), at(12000, pod("big", asking("cpu", "4"), saying("QueueQuota"))), idle(23000)), want: stuck},
		{name: "or cannot be placed", steps: with(big(reserved), small, idle(11000), at(12000, pod("big", asking("cpu", "4"), reserved, unschedulable)), idle(23000)), want: stuck},
		{name: "or runs and ends", steps: with(big(reserved), small, at(11000, pod("old", asking("cpu", "1"), succeeded)), at(12000, pod("big", asking("cpu", "4"), onNode)),
			at(50_000, pod("big", asking("cpu", "4"), succeeded)), idle(59_000), idle(61_000)), want: []found{{Stuck, "small", "0/4 cpu"}}},
		{name: "time counts from when it ends", steps: with(big(reserved), small, idle(100_000), gone(100_000, pod("big")), idle(109_000))},
		{name: "who waits already has not waited longer for a hold", steps: with(small, at(5000, pod("big", asking("cpu", "4"), reserved)), idle(16_000), idle(300_000))},
		{name: "nothing is held for what can never fit", steps: with(at(100, pod("big", asking("cpu", "5"), reserved)), small, idle(11000)), want: stuck},
		{name: "what needs nothing of it is to go", steps: with(big(reserved), at(200, pod("small", asking("memory", "1Gi"))), idle(11000)),
			want: []found{{Stuck, "small", "nothing on its path"}}},
		{name: "a pod of an operation that has its seat", steps: with(big(reserved), at(200, pod("small", asking("cpu", "1"), ownedBy("job"))),
			at(210, pod("first", asking("cpu", "1"), ownedBy("job"))), at(220, pod("first", asking("cpu", "1"), ownedBy("job"), onNode)), idle(300_000))},
		{name: "younger ones that end in time use the room", steps: with(big(reserved), small, at(50_000, pod("quick", asking("cpu", "1"), created(50_000))),
			at(50_010, pod("quick", asking("cpu", "1"), created(50_000), onNode)), idle(52_000))},
		{name: "a gang gathers room as a whole", steps: with(at(50, podGroup("g", 2)), at(100, pod("g1", inGroup("g"), asking("cpu", "2"), reserved)),
			at(100, pod("g2", inGroup("g"), asking("cpu", "2"), reserved)), small, idle(300_000))},
		{name: "a gang that has room is to take it", steps: with(at(50, podGroup("g", 2)), at(100, pod("g1", inGroup("g"), asking("cpu", "1"), reserved)),
			at(100, pod("g2", inGroup("g"), asking("cpu", "1"), reserved)), small, idle(11_000)), want: stuck},
	})
}

// Two queues share the 4 cpus of a project.
func TestHeldRoomBetweenQueues(t *testing.T) {
	shared := project("x", "", -1)
	shared.Spec.Quota = quota("cpu", "4")
	other := project("y", "", -1)
	other.Spec.Quota = shared.Spec.Quota
	narrow := project("x", "", 2)
	narrow.Spec.Quota = shared.Spec.Quota
	cpu := func(amount string) podOption { return asking("cpu", amount) }
	with := func(levelOfBig, levelOfSmall int32, steps ...step) []step {
		return append([]step{at(0, agent("a", -1)), at(0, shared), at(0, queue("q", priority(levelOfBig))), at(0, queue("p", priority(levelOfSmall))),
			at(10, pod("old", of("x"), cpu("1"))), at(20, pod("old", of("x"), cpu("1"), onNode)),
			at(100, pod("big", of("x"), cpu("4"), saying("RoomReserved")))}, steps...)
	}
	small := func(options ...podOption) step {
		return at(200, pod("small", append([]podOption{in("p"), cpu("1")}, options...)...))
	}
	stuck := []found{{Stuck, "small", ""}}
	runCases(t, []auditCase{
		{name: "it is held against the same level", steps: with(5, 5, small(of("x")), idle(300_000))},
		{name: "and lower ones", steps: with(5, 1, small(of("x")), idle(300_000))},
		{name: "not against higher ones", steps: with(1, 5, small(of("x")), idle(11_000)), want: stuck},
		{name: "not where it counts nothing", steps: with(5, 5, at(30, other), small(of("y")), idle(11_000)), want: stuck},
		{name: "the seat that it needs is held, too", steps: with(5, 5, at(30, narrow), at(200, pod("small", in("p"), of("x"))), idle(300_000))},
		{name: "and the agent's", steps: with(5, 5, at(30, agent("a", 2)), at(200, pod("small", in("p"))), idle(300_000))},
		{name: "where there is one for each, none waits", steps: with(5, 5, at(30, agent("a", 3)), at(200, pod("small", in("p"))), idle(11_000)), want: stuck},
		{name: "a paused queue holds nothing", steps: with(5, 5, small(of("x")), at(8000, queue("q", priority(5), paused)), idle(17_000), idle(19_000)), want: stuck},
		{name: "two that each lack room wait for each other", steps: with(5, 5, at(100, pod("huge", in("p"), of("x"), cpu("4"), saying("RoomReserved"))), idle(300_000))},
		{name: "two that each have room do not", steps: append(with(5, 5)[:6], at(100, pod("b1", of("x"), cpu("2"), saying("RoomReserved"))),
			at(100, pod("b2", in("p"), of("x"), cpu("2"), saying("RoomReserved"))), idle(11_000)), want: []found{{Stuck, "b1", ""}, {Stuck, "b2", ""}}},
		{name: "one waits for another that waits", steps: append(with(5, 5), at(30, queue("r", priority(5), holding("memory", "4Gi"))),
			at(100, pod("middle", in("r"), of("x"), alsoAsking("memory", "4Gi", cpu("1")), saying("RoomReserved"))),
			at(200, pod("small", in("r"), asking("memory", "1Gi"))), idle(300_000))},
	})
}

// The last seat of an agent is held for an operation; one of a lower level must not take it.
func TestHeldSeat(t *testing.T) {
	with := func(levelOfHead int32, steps ...step) []step {
		return append([]step{at(0, agent("a", 2)), at(0, queue("q", priority(levelOfHead))), at(0, queue("p", priority(3))),
			at(10, pod("r1", in("p"))), at(10, pod("r2", in("p"))), at(20, pod("r1", in("p"), onNode)), at(20, pod("r2", in("p"), onNode)),
			at(100, pod("head", saying("Preempting"))), at(150, pod("l", in("p")))}, steps...)
	}
	high := project("x", "", -1)
	high.Spec.Quota = quota("cpu", "4")
	runCases(t, []auditCase{
		{name: "it waits while the seats are taken", steps: with(5, idle(300_000))},
		{name: "the seat is free: the one it is held for is to take it", steps: with(5, at(1000, pod("r1", in("p"), succeeded)), idle(12_000)),
			want: []found{{Stuck, "head", "agent a 1/2"}, {Stuck, "l", "agent a 1/2"}}},
		{name: "a lower level takes it", steps: with(5, at(30, queue("q", priority(5), seats(1))), at(1000, pod("r1", in("p"), succeeded)), at(5000, pod("l", in("p"), onNode))),
			want: []found{{LevelOrder, "l", "pod ns/head of queue q"}}},
		{name: "an operation whose room is held is not passed over", steps: append(with(5)[:7], at(30, high), at(30, queue("h", priority(5))),
			at(100, pod("o", in("q"), of("x"), asking("cpu", "1"))), at(110, pod("o", in("q"), of("x"), asking("cpu", "1"), onNode)), at(120, pod("r1", in("p"), succeeded)), at(120, pod("r2", in("p"), succeeded)),
			at(130, pod("head", of("x"), asking("cpu", "4"), saying("RoomReserved"))), at(140, pod("w", in("h"), of("x"), asking("cpu", "1"))), at(150, pod("l", in("p"))), at(5000, pod("l", in("p"), onNode)))},
		{name: "but is without the hold", steps: append(with(5)[:7], at(30, high), at(30, queue("h", priority(5))),
			at(100, pod("o", in("q"), of("x"), asking("cpu", "1"))), at(110, pod("o", in("q"), of("x"), asking("cpu", "1"), onNode)), at(120, pod("r1", in("p"), succeeded)), at(120, pod("r2", in("p"), succeeded)),
			at(130, pod("head", of("x"), asking("cpu", "4"))), at(140, pod("w", in("h"), of("x"), asking("cpu", "1"))), at(150, pod("l", in("p"))), at(5000, pod("l", in("p"), onNode))),
			want: []found{{LevelOrder, "l", "pod ns/w of queue h"}}},
	})
}

// While pods of an operation are evicted, its others wait.
func TestOperationMakesWay(t *testing.T) {
	job := ownedBy("job")
	with := func(steps ...step) []step {
		return append([]step{at(0, agent("a", -1)), at(0, queue("q", seats(2))), at(10, pod("v1", job)), at(10, pod("v2", job)),
			at(20, pod("v1", job, onNode)), at(20, pod("v2", job, onNode))}, steps...)
	}
	evicted := func(ms int, name string) step { return at(ms, pod(name, job, terminating, saying("Preempted"))) }
	stuck := []found{{Stuck, "new", ""}}
	runCases(t, []auditCase{
		{name: "a pod of an operation that runs is to go", steps: with(at(1000, pod("new", job)), idle(12_000)), want: stuck},
		{name: "of one that makes way it waits", steps: with(evicted(1000, "v1"), at(1000, pod("new", job, saying("Preempted"))), idle(300_000))},
		{name: "until all of them are gone", steps: with(evicted(1000, "v1"), evicted(1200, "v2"), at(1300, pod("new", job, saying("Preempted"))),
			gone(100_000, pod("v1", job, terminating)), idle(150_000), gone(200_000, pod("v2", job, terminating)), idle(209_000))},
		{name: "and not for longer", steps: with(evicted(1000, "v1"), evicted(1200, "v2"), at(1300, pod("new", job, saying("Preempted"))),
			gone(100_000, pod("v1", job, terminating)), gone(200_000, pod("v2", job, terminating)), idle(211_000)), want: stuck},
		{name: "nor when it was let off", steps: with(at(1000, pod("v1", job, onNode, saying("Preempted"))), at(1000, pod("new", job, saying("Preempted"))), idle(12_000),
			at(13_000, pod("v1", job, onNode)), idle(14_000)), want: stuck},
		{name: "nor does saying so make it so", steps: with(at(1000, pod("new", job, saying("Preempted"))), idle(12_000)), want: stuck},
		{name: "nor that another operation makes way", steps: with(evicted(1000, "v1"), at(1000, pod("new", ownedBy("other"), saying("Preempted"))), idle(12_000)), want: stuck},
		{name: "nor a deletion by others", steps: with(at(1000, pod("v1", job, terminating)), at(1000, pod("new", job)), idle(12_000)), want: stuck},
	})
}
