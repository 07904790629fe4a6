package routing

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func TestChoose(t *testing.T) {
	full, roomy := Agent{Name: "east", Seats: 2, Taken: 2}, Agent{Name: "west", Seats: 4, Taken: 2}
	line := func(a Agent, waiting int) Agent {
		a.Waiting = waiting
		return a
	}
	draining := Agent{Name: "east", Seats: 2, Closed: "is draining"}
	for name, test := range map[string]struct {
		agents   []Agent
		mostFree bool
		misfit   string
		want     Choice
		none     bool
	}{
		"one":                    {agents: []Agent{roomy}, want: Choice{"west", "agent west: 2 of 4 seats free"}},
		"the first with room":    {agents: []Agent{roomy, {Name: "north", Seats: 9}}, want: Choice{"west", "agent west: 2 of 4 seats free"}},
		"overflow":               {agents: []Agent{full, roomy}, want: Choice{"west", "agent west: 2 of 4 seats free; agent east: none of 2 seats free"}},
		"the most free":          {agents: []Agent{roomy, {Name: "north", Seats: 9}}, mostFree: true, want: Choice{"north", "agent north: 9 of 9 seats free; agent west: 2 of 4 seats free"}},
		"as many: the first":     {agents: []Agent{roomy, {Name: "north", Seats: 2}}, mostFree: true, want: Choice{"west", "agent west: 2 of 4 seats free; agent north: 2 of 2 seats free"}},
		"no limit is the most":   {agents: []Agent{roomy, {Name: "north", Seats: Unlimited}}, mostFree: true, want: Choice{"north", "agent north: it has room; agent west: 2 of 4 seats free"}},
		"closed":                 {agents: []Agent{draining, roomy}, want: Choice{"west", "agent west: 2 of 4 seats free; agent east is draining"}},
		"nodes are full":         {agents: []Agent{{Name: "east", Seats: Unlimited, Waiting: 1, Stuck: 1}, roomy}, want: Choice{"west", "agent west: 2 of 4 seats free; agent east: no node there fits what waits"}},
		"enough are on the way":  {agents: []Agent{{Name: "east", Seats: Unlimited, Waiting: burst}, roomy}, want: Choice{"west", "agent west: 2 of 4 seats free; agent east: 16 wait there for a node"}},
		"it fits no node":        {agents: []Agent{{Name: "east", Seats: 2}, roomy}, misfit: "east", want: Choice{"west", "agent west: 2 of 4 seats free; agent east: no node there fits it"}},
		"but there is no other":  {agents: []Agent{{Name: "east", Seats: 2}, {Name: "west", Closed: "is draining"}}, misfit: "east", want: Choice{"east", "agent east: 2 of 2 seats free"}},
		"all full: the first":    {agents: []Agent{line(full, 1), {Name: "west", Seats: 0}}, want: Choice{"east", "agent east: it is next there, and no agent has a free seat"}},
		"enough wait there":      {agents: []Agent{line(full, 2), {Name: "west", Seats: 0, Waiting: 1}}, want: Choice{"west", "agent west: it is next there, and no agent has a free seat"}},
		"the shortest line":      {agents: []Agent{line(full, 1), {Name: "west", Seats: 0}}, mostFree: true, want: Choice{"west", "agent west: it is next there, and no agent has a free seat"}},
		"enough wait everywhere": {agents: []Agent{line(full, 2), {Name: "west", Seats: 0, Waiting: 2}}, none: true},
		"all closed":             {agents: []Agent{draining}, none: true},
		"none":                   {none: true},
	} {
		t.Run(name, func(t *testing.T) {
			choice, ok := Choose(test.agents, test.mostFree, test.misfit)
			assert.Equal(t, !test.none, ok)
			assert.Equal(t, test.want, choice)
		})
	}
}

func TestChoices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		agents := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) Agent {
			a := Agent{
				Name:   rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "name"),
				Closed: rapid.SampledFrom([]string{"", "", "is draining"}).Draw(t, "closed"),
				Seats:  rapid.Int64Range(-1, 3).Draw(t, "seats"), Taken: rapid.Int64Range(0, 4).Draw(t, "taken"),
				Waiting: rapid.IntRange(0, burst).Draw(t, "waiting"),
			}
			a.Stuck = rapid.IntRange(0, a.Waiting).Draw(t, "stuck")
			return a
		}), 0, 4, func(a Agent) string { return a.Name }).Draw(t, "agents")
		mostFree := rapid.Bool().Draw(t, "mostFree")
		misfit := rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "misfit")
		choice, ok := Choose(agents, mostFree, misfit)
		others := false
		for _, a := range agents {
			others = others || a.Closed == "" && a.Name != misfit
		}
		for i, a := range agents {
			able := a.Closed == "" && (a.Name != misfit || !others)
			if !ok {
				assert.False(t, able && (a.free() > 0 || a.Waiting < ahead), "agent %s could have had it", a.Name)
				continue
			}
			if a.Name != choice.Agent {
				continue
			}
			assert.True(t, able, "agent %s is closed, or no node there fits it", a.Name)
			assert.True(t, a.free() > 0 || a.Waiting < ahead, "too many wait at agent %s", a.Name)
			for k, other := range agents {
				if other.Closed != "" || other.Name == misfit && others {
					continue
				}
				assert.False(t, a.free() == 0 && other.free() > 0, "%s has room and %s, which has none, was chosen", other.Name, a.Name)
				assert.False(t, !mostFree && k < i && other.free() > 0, "%s is before %s", other.Name, a.Name)
				if mostFree && a.Seats != Unlimited && other.Seats != Unlimited {
					assert.LessOrEqual(t, other.free(), a.free(), "%s has more room than %s", other.Name, a.Name)
				}
			}
		}
	})
}
