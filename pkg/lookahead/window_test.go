package lookahead

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/queueyard/queueyard/pkg/ledger"
)

// yard is a window whose news are applied to nothing: due operations are read from the window.
type yard struct {
	*Window
	created int64
	news    []string
}

func newYard() *yard {
	y := &yard{}
	y.Window = New(func(uid string) { y.news = append(y.news, uid) })
	y.Limits(func(l *ledger.Ledger) { l.SetAgent("default", ledger.Limits{Seats: ledger.Unlimited}) })
	return y
}

func (y *yard) queue(name string, seats int64) {
	y.Limits(func(l *ledger.Ledger) {
		l.SetQueue(name, ledger.QueueConfig{Agent: "default", Limits: ledger.Limits{Seats: seats}})
	})
}

func (y *yard) project(name string, seats int64) {
	y.Limits(func(l *ledger.Ledger) { l.SetProject(name, "", ledger.Limits{Seats: seats}) })
}

func (y *yard) op(queue, project string, priority int64) ledger.Pod {
	y.created++
	uid := fmt.Sprintf("op-%05d", y.created)
	return ledger.Pod{UID: uid, Operation: uid, Queue: queue, Project: project, Priority: priority, Created: y.created}
}

func (y *yard) arrive(n int, queue, project string, priority int64) []ledger.Pod {
	ops := make([]ledger.Pod, n)
	for i := range ops {
		ops[i] = y.op(queue, project, priority)
		y.Wait(ops[i], false, false)
	}
	return ops
}

func (y *yard) due(ops ...ledger.Pod) (due []ledger.Pod) {
	for _, op := range ops {
		if o := y.ops[op.UID]; o != nil && o.due {
			due = append(due, op)
		}
	}
	return due
}

func TestNothingIsDueBeforeOpen(t *testing.T) {
	y := newYard()
	y.queue("q", 5)
	ops := y.arrive(10, "q", "", 0)
	y.Decide()
	assert.Empty(t, y.due(ops...))
	assert.Empty(t, y.news)
	y.Open()
	y.Decide()
	assert.Len(t, y.due(ops...), 10, "5 with room and those behind them")
	assert.Len(t, y.news, 10)
}

func TestBounds(t *testing.T) {
	y := newYard()
	y.queue("full", 5)
	y.queue("free", ledger.Unlimited)
	y.Open()
	behind, ahead5 := y.arrive(1000, "full", "", 0), y.arrive(1000, "free", "", 0)
	y.Decide()
	assert.Equal(t, behind[:5+ahead], y.due(behind...), "room for 5 and the first behind them")
	assert.Equal(t, ahead5[:maxUnbound], y.due(ahead5...), "as many as may have no node")
	for i := 0; len(ahead5) > 0; i++ { // each gets a node, and ends
		require.Less(t, i, 1000)
		due := y.due(ahead5...)
		require.NotEmpty(t, due, "%d are left", len(ahead5))
		for _, op := range due {
			y.Hold(op)
		}
		y.Decide()
		require.LessOrEqual(t, len(y.due(ahead5...)), maxUnbound)
		ahead5 = slices.DeleteFunc(ahead5, func(op ledger.Pod) bool {
			return slices.ContainsFunc(due, func(d ledger.Pod) bool { return d.UID == op.UID })
		})
		for _, op := range due {
			y.Leave(op.UID)
		}
	}
	assert.NotContains(t, y.lines, "free", "nothing is kept of a line that is empty")
}

func TestRoomBehindABlockedProject(t *testing.T) {
	y := newYard()
	y.queue("q", ledger.Unlimited)
	y.project("blocked", 0)
	y.project("free", ledger.Unlimited)
	y.Open()
	blocked := y.arrive(1000, "q", "blocked", 5)
	free := y.arrive(3, "q", "free", 0)
	y.Decide()
	assert.Equal(t, free, y.due(free...))
	assert.LessOrEqual(t, len(y.due(blocked...)), maxAhead)
	y.project("blocked", 1000)
	y.Decide()
	assert.Len(t, y.due(append(blocked, free...)...), maxUnbound, "they are let in as far as the bound allows")
}

func TestLateArrivals(t *testing.T) {
	for name, seats := range map[string]int64{"no room": 1, "room for some": 20, "room for all": ledger.Unlimited, "room taken by those held up": 700} {
		t.Run(name, func(t *testing.T) {
			y := newYard()
			y.queue("q", seats)
			if seats == 1 {
				y.Hold(y.op("q", "", 0))
			}
			y.Open()
			low := y.arrive(700, "q", "", 0)
			y.Decide()
			before := y.due(low...)
			all := slices.Clone(low)
			for priority := int64(1); priority <= 8; priority++ {
				all = append(all, y.arrive(ahead, "q", "", priority)...)
				y.Decide()
				require.LessOrEqual(t, len(y.due(all...)), maxUnbound)
			}
			high := all[len(all)-ahead:]
			if len(before) < maxUnbound {
				assert.Equal(t, high, y.due(high...), "the first of the line are due")
				if seats == 1 {
					assert.LessOrEqual(t, len(y.due(all...)), maxAhead)
					assert.Empty(t, y.due(low...), "the last gave their pods back")
				}
				return
			}
			// Too many have no node: with the first that get one, the late ones take their places.
			for _, op := range before[:ahead] {
				y.Hold(op)
			}
			y.Decide()
			assert.Equal(t, high, y.due(high...))
		})
	}
}

func TestRaisedWhileHeldUp(t *testing.T) {
	y := newYard()
	y.queue("q", ledger.Unlimited)
	y.Open()
	ops := y.arrive(500, "q", "", 0)
	y.Decide()
	lastOne := ops[499]
	lastOne.Priority = 9
	require.False(t, y.Wait(lastOne, false, false))
	y.Hold(ops[0])
	y.Decide()
	assert.True(t, y.Wait(lastOne, false, false))
	assert.Empty(t, y.due(ops[maxUnbound:499]...))
}

func TestStuckOnesLetOthersPass(t *testing.T) {
	y := newYard()
	y.queue("q", 10)
	y.Open()
	ops := y.arrive(400, "q", "", 0)
	y.Decide()
	for i := range maxStuck - 1 {
		require.Equal(t, ops[i:i+1], y.due(ops[i]), "operation %d", i)
		y.Wait(ops[i], true, true)
		y.Decide()
	}
	due := y.due(ops...)
	assert.Len(t, due, maxStuck-1+10+ahead, "the room that stuck ones do not use is others'")
	y.Wait(ops[maxStuck-1], true, true)
	y.Decide()
	assert.Len(t, y.due(ops...), len(due), "too many are stuck: the line waits")
	y.Wait(ops[0], true, false)
	y.Decide()
	assert.Len(t, y.due(ops...), len(due), "it takes the room of one; those admitted keep theirs")
}

func TestAStuckOneThatChangesStaysStuck(t *testing.T) {
	y := newYard()
	y.queue("q", 1)
	y.Open()
	ops := y.arrive(2, "q", "", 0)
	y.Decide()
	y.Wait(ops[0], true, true)
	ops[0].Priority = 3
	y.Wait(ops[0], true, true)
	y.Decide()
	assert.Equal(t, ledger.Suspended, y.ledger.State(ops[0].UID))
	assert.Equal(t, ledger.Admitted, y.ledger.State(ops[1].UID))
}

func TestRestart(t *testing.T) {
	y := newYard()
	y.queue("q", 10)
	y.Open()
	ops := y.arrive(300, "q", "", 0)
	y.Decide()
	for _, op := range ops[:10] {
		y.Hold(op)
	}
	y.Decide()
	had := y.due(ops...)

	again := newYard()
	again.queue("q", 10)
	rand.Shuffle(len(ops), func(i, j int) { ops[i], ops[j] = ops[j], ops[i] })
	for _, op := range ops {
		switch {
		case y.ops[op.UID] == nil:
			again.Hold(op)
		default:
			assert.Equal(t, y.ops[op.UID].due, again.Wait(op, y.ops[op.UID].due, false))
		}
	}
	again.Open()
	again.Decide()
	assert.ElementsMatch(t, had, again.due(ops...))
	assert.Empty(t, again.news)
}

// TestWindow plays arrivals, nodes, ends, changes and restarts, and checks after each decision the
// bounds and that whoever has room comes to be due.
func TestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		y := newYard()
		queues, projects := []string{"a", "b"}, []string{"", "p", "r"}
		seats := rapid.SampledFrom([]int64{0, 1, 7, 150, 600, ledger.Unlimited})
		queueSeats, projectSeats := map[string]int64{}, map[string]int64{}
		limits := func() {
			for q, n := range queueSeats {
				y.queue(q, n)
			}
			for p, n := range projectSeats {
				y.project(p, n)
			}
		}
		for _, q := range queues {
			queueSeats[q] = seats.Draw(t, "seats of "+q)
		}
		for _, p := range projects[1:] {
			projectSeats[p] = seats.Draw(t, "seats of "+p)
		}
		limits()
		y.Open()
		waiting, running := map[string]ledger.Pod{}, map[string]ledger.Pod{}
		stuck := map[string]bool{}
		// some are n of a map, by name.
		some := func(of map[string]ledger.Pod, keep func(ledger.Pod) bool) []ledger.Pod {
			var all []ledger.Pod
			for _, op := range of {
				if keep(op) {
					all = append(all, op)
				}
			}
			slices.SortFunc(all, func(a, b ledger.Pod) int { return int(a.Created - b.Created) })
			n := min(len(all), rapid.SampledFrom([]int{1, 10, 300}).Draw(t, "n"))
			if rapid.Bool().Draw(t, "from the end") {
				return all[len(all)-n:]
			}
			return all[:n]
		}
		isDue := func(op ledger.Pod) bool { return y.ops[op.UID].due }
		t.Repeat(map[string]func(*rapid.T){
			"arrive": func(t *rapid.T) {
				n, q := rapid.SampledFrom([]int{1, 40, 300}).Draw(t, "n"), rapid.SampledFrom(queues).Draw(t, "queue")
				p, priority := rapid.SampledFrom(projects).Draw(t, "project"), rapid.Int64Range(0, 3).Draw(t, "priority")
				for _, op := range y.arrive(n, q, p, priority) {
					waiting[op.UID] = op
				}
			},
			"get a node": func(*rapid.T) {
				for _, op := range some(waiting, isDue) {
					y.Hold(op)
					running[op.UID] = op
					delete(waiting, op.UID)
					delete(stuck, op.UID)
				}
			},
			"end": func(*rapid.T) {
				for _, op := range some(running, func(ledger.Pod) bool { return true }) {
					y.Leave(op.UID)
					delete(running, op.UID)
				}
			},
			"be deleted": func(*rapid.T) {
				for _, op := range some(waiting, func(ledger.Pod) bool { return true }) {
					y.Leave(op.UID)
					delete(waiting, op.UID)
					delete(stuck, op.UID)
				}
			},
			"change": func(t *rapid.T) {
				for _, op := range some(waiting, func(ledger.Pod) bool { return true }) {
					has := isDue(op)
					op.Priority, op.Queue = rapid.Int64Range(0, 3).Draw(t, "priority"), rapid.SampledFrom(queues).Draw(t, "queue")
					moved := op.Queue != waiting[op.UID].Queue
					y.Wait(op, has && !moved, stuck[op.UID] && !moved)
					if moved {
						delete(stuck, op.UID)
					}
					waiting[op.UID] = op
				}
			},
			"fit no node": func(*rapid.T) {
				for _, op := range some(waiting, isDue) {
					y.Wait(op, true, true)
					stuck[op.UID] = true
				}
			},
			"fit again": func(*rapid.T) {
				for _, op := range some(waiting, func(op ledger.Pod) bool { return stuck[op.UID] }) {
					y.Wait(op, true, false)
					delete(stuck, op.UID)
				}
			},
			"limit": func(t *rapid.T) {
				queueSeats[rapid.SampledFrom(queues).Draw(t, "queue")] = seats.Draw(t, "seats")
				projectSeats[rapid.SampledFrom(projects[1:]).Draw(t, "project")] = seats.Draw(t, "seats")
				limits()
			},
			"restart": func(*rapid.T) {
				before := y
				y = newYard()
				y.created = before.created
				limits()
				for uid, op := range running {
					_ = uid
					y.Hold(op)
				}
				for uid, op := range waiting {
					has := before.ops[uid].due
					if due := y.Wait(op, has, stuck[uid]); due != has {
						t.Fatalf("%s was due: %v, is: %v", uid, has, due)
					}
				}
				y.Open()
			},
			"": func(t *rapid.T) {
				y.Decide()
				if err := y.ledger.CheckInvariants(); err != nil {
					t.Fatal(err)
				}
				for _, q := range queues {
					due, stuckOnes, idle := 0, 0, 0 // idle: due, in the ledger's line, behind its head
					front := y.ledger.Front(q, 2*ahead)
					for _, op := range waiting {
						o := y.ops[op.UID]
						if op.Queue != q {
							continue
						}
						if o.due {
							due++
							if y.ledger.State(op.UID) == ledger.Waiting && !slices.Contains(front, op.UID) {
								idle++
							}
						}
						if stuck[op.UID] {
							stuckOnes++
						}
					}
					if due > maxUnbound {
						t.Fatalf("queue %s: %d are due", q, due)
					}
					if idle > maxAhead {
						t.Fatalf("queue %s: %d are due that are far from the head", q, idle)
					}
					full := due >= maxUnbound || stuckOnes >= maxStuck
					for _, op := range waiting {
						if op.Queue == q && !full && !y.ops[op.UID].due && y.ledger.State(op.UID) == ledger.Admitted {
							t.Fatalf("queue %s: %s has room and is not due, and only %d are", q, op.UID, due)
						}
					}
					for _, uid := range front[:min(len(front), ahead)] {
						if o := y.ops[uid]; !full && o != nil && !o.due {
							t.Fatalf("queue %s: %s is at the head and not due, and only %d are", q, uid, due)
						}
					}
				}
			},
		})
	})
}
