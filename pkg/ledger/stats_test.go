package ledger

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStatsCountOperations(t *testing.T) {
	f := newFixture(t)
	f.queue("q", 1, 2)
	f.Charge(f.pod("a1", "q", of("a"), asks("cpu", 1000)))
	f.Charge(f.pod("a2", "q", of("a"), asks("cpu", 500)))
	f.enter("a3", "q", of("a"), asks("cpu", 500))
	f.enter("b1", "q", of("b"))
	f.enter("c1", "q", of("c"))
	f.enter("c2", "q", of("c"))
	f.enter("d1", "q", of("d"))
	f.Suspend("d1", "no node fits")
	f.Admit(0)
	want := QueueStats{Pending: 1, Suspended: 1, Admitted: 2, Running: 1, Oldest: 5, Usage: map[string]int64{"cpu": 2000}}
	stats, ok := f.QueueStats("q")
	require.True(t, ok)
	assert.Equal(t, want, stats)
	agent, ok := f.AgentStats("default")
	require.True(t, ok)
	assert.Equal(t, AgentStats{Queues: 1, QueueStats: want, Levels: []LevelStats{{Level: 1, Seats: 2, Demand: 2, Used: 2}}}, agent)

	_, ok = f.QueueStats("nothing")
	assert.False(t, ok)
	_, ok = f.AgentStats("nothing")
	assert.False(t, ok)
	for _, kind := range []Kind{Queue, Agent, Project, Organization, Workflow} {
		_, _, ok = f.NodeUsage(kind, "nothing")
		assert.False(t, ok, "%s", kind)
	}
}

func TestChangedNamesWhatChanged(t *testing.T) {
	f := newFixture(t)
	f.queue("q", 1, 1)
	f.queue("r", 1, 1)
	changed := func() []string {
		queues, agents := f.Changed()
		slices.Sort(queues)
		return append(queues, agents...)
	}
	assert.Equal(t, []string{"q", "r", "default"}, changed())
	assert.Empty(t, changed())
	f.enter("a", "q")
	assert.Equal(t, []string{"q", "default"}, changed())
	f.Admit(0)
	assert.Equal(t, []string{"q", "default"}, changed())
	f.Admit(0)
	f.queue("r", 1, 1)
	assert.Empty(t, changed(), "the same again is no change")
	f.queue("r", 1, 2)
	assert.Equal(t, []string{"r", "default"}, changed())
	f.DeleteQueue("r")
	assert.Equal(t, []string{"r", "default"}, changed())
}

func TestIteration(t *testing.T) {
	f := newFixture(t)
	f.queue("q", 1, 1)
	f.queue("r", 1, 1)
	f.enter("a", "q")
	f.enter("b", "gone")
	f.Charge(f.pod("c", "q"))
	assert.ElementsMatch(t, []string{"q", "r"}, slices.Collect(f.Queues))
	assert.ElementsMatch(t, []string{"default"}, slices.Collect(f.Agents))
	states := map[string]State{}
	for uid, s := range f.All {
		states[uid] = s
	}
	assert.Equal(t, map[string]State{"a": Waiting, "b": Waiting, "c": Running}, states)
	for range f.All {
		break
	}
	assert.Equal(t, "Unknown Waiting Suspended Admitted Running",
		Unknown.String()+" "+Waiting.String()+" "+Suspended.String()+" "+Admitted.String()+" "+Running.String())
}

func TestDemandIsWhatIsHeldAndWaitedFor(t *testing.T) {
	f := newFixture(t)
	f.queue("q", 1, 1)
	f.SetProject("p", "acme", Limits{Seats: 0})
	f.SetProject("other", "acme", noLimits)
	f.Charge(f.pod("a1", "q", of("a"), in("p"), asks("cpu", 1000)))
	f.enter("a2", "q", of("a"), in("p"), asks("cpu", 500))
	f.enter("b", "q", in("p"), asks("cpu", 7))
	f.enter("c", "q", in("p"), asks("cpu", 7))
	f.enter("d", "q", in("other"), asks("gpu", math.MaxInt64))
	f.enter("e", "q", in("other"), asks("gpu", math.MaxInt64))
	f.gang("g", "q", 2, 3, in("p"), asks("cpu", 100))
	f.Suspend("c", "no node fits")
	seats, resources := f.Demand(Project, "p")
	assert.Equal(t, int64(2), seats, "the second pod of an operation that has a seat needs none; what is in back-off or incomplete wants nothing")
	assert.Equal(t, map[string]int64{"cpu": 1507}, resources)
	f.gang("g2", "q", 2, 2, in("p"), asks("cpu", 100))
	seats, resources = f.Demand(Project, "p")
	assert.Equal(t, int64(3), seats, "a gang takes one seat")
	assert.Equal(t, map[string]int64{"cpu": 1707}, resources)
	seats, resources = f.Demand(Organization, "acme")
	assert.Equal(t, int64(5), seats)
	assert.Equal(t, map[string]int64{"cpu": 1707, "gpu": math.MaxInt64}, resources)
}

func TestChangedTenants(t *testing.T) {
	f := newFixture(t)
	f.queue("q", 1, 1)
	changed := func() []string {
		projects, organizations := f.ChangedTenants()
		slices.Sort(projects)
		slices.Sort(organizations)
		return append(projects, organizations...)
	}
	f.SetProject("p", "acme", Limits{Seats: 3})
	f.SetProject("r", "acme", Limits{Seats: 3})
	assert.Equal(t, []string{"p", "r", "acme"}, changed())
	assert.Empty(t, changed())
	f.SetProject("p", "acme", Limits{Seats: 3})
	f.SetOrganization("acme", noLimits)
	assert.Empty(t, changed(), "the same again is no change")
	f.enter("a", "q", in("p"))
	assert.Equal(t, []string{"p", "acme"}, changed())
	f.Admit(0)
	assert.Equal(t, []string{"p", "acme"}, changed())
	f.Remove("a")
	assert.Equal(t, []string{"p", "acme"}, changed())
	f.SetProject("p", "umbrella", Limits{Seats: 3})
	assert.Equal(t, []string{"acme", "umbrella"}, changed())
	f.DeleteProject("p")
	assert.NotContains(t, changed(), "p", "it is gone")
	f.SetOrganization("acme", Limits{Seats: 1})
	assert.Equal(t, []string{"acme"}, changed())
}
