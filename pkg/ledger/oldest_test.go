package ledger

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// checkStats compares what is said of queues and agents with counts made from all pods.
func (w *world) checkStats(t *rapid.T) {
	for i := range 4 {
		name := fmt.Sprintf("q%d", i)
		got, ok := w.ledger.QueueStats(name)
		_, known := w.model.queues[name]
		for _, p := range w.model.pods {
			known = known || p.Queue == name
		}
		require.Equal(t, known, ok, "queue %s", name)
		if !ok {
			continue
		}
		want := w.model.stats(name)
		want.Usage = got.Usage
		require.Equal(t, want, got, "queue %s", name)
		pending, admitted := w.ledger.Counts(name)
		require.Equal(t, []int{want.Pending, want.Admitted}, []int{pending, admitted}, "queue %s", name)
	}
	for i := range 2 {
		name := fmt.Sprintf("a%d", i)
		if got, ok := w.ledger.AgentStats(name); ok {
			require.Equal(t, w.model.levels(name), got.Levels, "levels of %s", name)
		}
	}
}

func (m *model) stats(queue string) (s QueueStats) {
	states := map[modelOperation]map[State]bool{}
	for _, p := range m.pods {
		if p.Queue != queue {
			continue
		}
		if states[p.op()] == nil {
			states[p.op()] = map[State]bool{}
		}
		states[p.op()][p.state] = true
	}
	for op, in := range states {
		switch _, seated := m.seats[op]; {
		case seated:
			s.Admitted++
			if in[Running] {
				s.Running++
			}
		case in[Waiting]:
			s.Pending++
		default:
			s.Suspended++
		}
	}
	oldest := int64(math.MaxInt64)
	for _, p := range m.pods {
		if p.Queue == queue && !m.seated(p) {
			oldest = min(oldest, p.Created)
		}
	}
	if oldest < math.MaxInt64 {
		s.Oldest = oldest
	}
	return s
}

// levels hands the seats of an agent out one by one: first what is guaranteed, then from the top.
func (m *model) levels(agent string) []LevelStats {
	left := m.limits(modelNode{Agent, agent}).Seats
	if left < 0 {
		left = math.MaxInt64
	}
	var out []LevelStats
	var names []string
	demand, given := map[string]int64{}, map[string]int64{}
	for name, q := range m.queues {
		if q.Agent != agent || !q.linked {
			continue
		}
		held := m.seatsOf(modelNode{Queue, name})
		if !q.exists {
			left -= held
			continue
		}
		demand[name] = held
		if m.opens(name) && q.Limits.Closed == "" {
			for range m.stats(name).Pending {
				if q.Limits.Seats < 0 || demand[name] < q.Limits.Seats {
					demand[name]++
				}
			}
		}
		names = append(names, name)
		left -= m.guaranteed(name)
		given[name] = min(demand[name], m.guaranteed(name))
		if !slices.ContainsFunc(out, func(l LevelStats) bool { return l.Level == q.Level }) {
			out = append(out, LevelStats{Level: q.Level})
		}
	}
	slices.SortFunc(out, func(a, b LevelStats) int {
		if a.Level > b.Level {
			return -1
		}
		return 1
	})
	for i := range out {
		for _, name := range names {
			if m.queues[name].Level != out[i].Level {
				continue
			}
			for given[name] < demand[name] && left > 0 {
				given[name]++
				left--
			}
			out[i].Used += m.seatsOf(modelNode{Queue, name})
			out[i].Demand += demand[name]
			out[i].Seats += given[name]
		}
	}
	return out
}

// What comes and goes behind one that waits for ever is not kept.
func TestEldersForget(t *testing.T) {
	f := newFixture(t)
	f.queue("q", 1, 0)
	f.enter("first", "q")
	for i := range 10_000 {
		uid := fmt.Sprint(i)
		f.enter(uid, "q")
		f.Remove(uid)
	}
	stats, _ := f.QueueStats("q")
	assert.EqualValues(t, 1, stats.Oldest)
	assert.Less(t, len(f.queues["q"].elders), 2*eldersSlack)
	require.NoError(t, f.CheckInvariants())
}
