package lookahead

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/queueyard/queueyard/pkg/ledger"
)

func (y *yard) child(workflow string, priority int64) ledger.Pod {
	op := y.op("q", "", priority)
	op.Workflow = workflow
	return op
}

func TestNobodyIsReleasedBeforeAllIsKnown(t *testing.T) {
	y := newYard()
	a, b := y.child("inner", 0), y.child("inner", 0)
	released, _ := y.Release(a, false)
	require.False(t, released, "not open")
	y.Open()
	released, _ = y.Release(a, false)
	require.False(t, released, "its workflow is not known")
	y.SetWorkflow("inner", "outer", ledger.Unlimited)
	released, _ = y.Release(a, false)
	require.False(t, released, "what is around its workflow is not known")
	y.Release(b, true)
	y.SetWorkflow("outer", "", 1)
	released, _ = y.Release(a, false)
	require.False(t, released, "another is in flight")
	y.news = nil
	y.Leave(b.UID)
	y.Decide()
	require.Contains(t, y.news, a.UID)
	released, _ = y.Release(a, false)
	require.True(t, released)
}

func TestLimitsOutliveTheirWorkflow(t *testing.T) {
	y := newYard()
	y.Open()
	y.SetWorkflow("w", "", 1)
	a, b := y.child("w", 0), y.child("w", 0)
	released, _ := y.Release(a, false)
	require.True(t, released)
	released, _ = y.Release(b, false)
	require.False(t, released)
	y.DeleteWorkflow("w")
	released, _ = y.Release(b, false)
	require.False(t, released, "they are about to be deleted, too")
	y.Outlive(a.UID)
	released, _ = y.Release(b, false)
	require.False(t, released, "what it runs as is still there")
	y.Leave(a.UID)
	y.Leave(b.UID)
	require.Empty(t, y.flights.workflows)
	require.Empty(t, y.flights.trees)
}

func TestFewAreNear(t *testing.T) {
	y := newYard()
	y.Open()
	y.SetWorkflow("w", "", 0)
	var ops []ledger.Pod
	for range 1000 {
		ops = append(ops, y.child("w", 0))
		y.Release(ops[len(ops)-1], false)
	}
	near := func() (n int) {
		for _, op := range ops {
			if _, is := y.Release(op, false); is {
				n++
			}
		}
		return n
	}
	y.Decide()
	require.Equal(t, 0, near(), "nothing is near to what admits none")
	y.SetWorkflow("w", "", 1)
	y.Decide()
	require.Equal(t, ahead, near())
	for priority := range int64(10) {
		for range ahead {
			ops = append(ops, y.child("w", 1+priority))
			y.Release(ops[len(ops)-1], false)
		}
		y.Decide()
		require.LessOrEqual(t, near(), maxAhead)
	}
}

// TestFlights plays operations of nested workflows against a model that looks at all of them.
func TestFlights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		y := newYard()
		parents := map[string]string{"r": "", "s": "", "r/1": "r", "r/2": "r", "r/1/1": "r/1"}
		names := slices.Sorted(maps.Keys(parents))
		seats := rapid.SampledFrom([]int64{0, 1, 2, 5, ledger.Unlimited})
		limits := map[string]int64{}
		for _, n := range names {
			limits[n] = seats.Draw(t, "seats of "+n)
		}
		known := map[string]bool{}
		ops, inFlight := map[string]ledger.Pod{}, map[string]bool{}
		open := false
		path := func(workflow string) (all []string) {
			for n := workflow; n != ""; n = parents[n] {
				all = append(all, n)
			}
			return all
		}
		fits := func(op ledger.Pod) bool {
			for _, n := range path(op.Workflow) {
				used := int64(0)
				for uid := range inFlight {
					if slices.Contains(path(ops[uid].Workflow), n) {
						used++
					}
				}
				if !known[n] || limits[n] >= 0 && used >= limits[n] {
					return false
				}
			}
			return true
		}
		// settle lets everybody go who can, the first of the line first.
		settle := func() {
			line := slices.SortedFunc(maps.Values(ops), func(a, b ledger.Pod) int {
				return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Created, b.Created))
			})
			for _, op := range line {
				if open && !inFlight[op.UID] && fits(op) {
					inFlight[op.UID] = true
				}
			}
		}
		anyOf := func(of map[string]bool) (string, bool) {
			all := slices.Sorted(maps.Keys(of))
			if len(all) == 0 {
				return "", false
			}
			return rapid.SampledFrom(all).Draw(t, "operation"), true
		}
		t.Repeat(map[string]func(*rapid.T){
			"know": func(t *rapid.T) {
				n := rapid.SampledFrom(names).Draw(t, "workflow")
				known[n] = true
				y.SetWorkflow(n, parents[n], limits[n])
				settle()
			},
			"limit": func(t *rapid.T) {
				n := rapid.SampledFrom(names).Draw(t, "workflow")
				limits[n] = seats.Draw(t, "seats")
				if known[n] {
					y.SetWorkflow(n, parents[n], limits[n])
					settle()
				}
			},
			"arrive": func(t *rapid.T) {
				op := y.child(rapid.SampledFrom(names).Draw(t, "workflow"), rapid.Int64Range(0, 2).Draw(t, "priority"))
				ops[op.UID] = op
				y.Release(op, false)
				settle()
			},
			"change": func(t *rapid.T) {
				waiting := map[string]bool{}
				for uid := range ops {
					waiting[uid] = !inFlight[uid]
				}
				maps.DeleteFunc(waiting, func(_ string, w bool) bool { return !w })
				if uid, ok := anyOf(waiting); ok {
					op := ops[uid]
					op.Priority = rapid.Int64Range(0, 2).Draw(t, "priority")
					ops[uid] = op
					y.Release(op, false)
				}
			},
			"run": func(*rapid.T) {
				if uid, ok := anyOf(inFlight); ok {
					y.Hold(ops[uid])
				}
			},
			"end": func(*rapid.T) {
				if uid, ok := anyOf(inFlight); ok {
					y.Leave(uid)
					delete(inFlight, uid)
					delete(ops, uid)
					settle()
				}
			},
			"open": func(*rapid.T) {
				open = true
				y.Open()
				settle()
			},
			"restart": func(*rapid.T) {
				created := y.created
				y, open = newYard(), false
				y.created = created
				for _, n := range names {
					if known[n] {
						y.SetWorkflow(n, parents[n], limits[n])
					}
				}
				for uid, op := range ops {
					y.Release(op, inFlight[uid])
				}
			},
			"": func(t *rapid.T) {
				for range 2 {
					for uid, op := range ops {
						if released, near := y.Release(op, false); released != inFlight[uid] || released && near {
							t.Fatalf("%s: released %v (near %v), want %v", fmt.Sprint(op), released, near, inFlight[uid])
						}
					}
					y.Decide()
				}
				if err := y.flights.ledger.CheckInvariants(); err != nil {
					t.Fatal(err)
				}
			},
		})
	})
}
