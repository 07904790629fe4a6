package routing

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func TestChoose(t *testing.T) {
	full, roomy := Agent{Name: "east", Seats: 2, Taken: 2}, Agent{Name: "west", Seats: 4, Taken: 1}
	for name, test := range map[string]struct {
		agents  []Agent
		current string
		want    Choice
		none    bool
	}{
		"one":                        {agents: []Agent{roomy}, want: Choice{Agent: "west"}},
		"the first with room":        {agents: []Agent{roomy, {Name: "north", Seats: Unlimited}}, want: Choice{Agent: "west"}},
		"overflow":                   {agents: []Agent{full, roomy}, want: Choice{"west", "agent east: 2 of 2 seats are taken"}},
		"overflow of what waits":     {agents: []Agent{full, roomy}, current: "east", want: Choice{"west", "agent east: 2 of 2 seats are taken"}},
		"not called back":            {agents: []Agent{{Name: "east", Seats: 2}, roomy}, current: "west", want: Choice{Agent: "west"}},
		"closed":                     {agents: []Agent{{Name: "east", Seats: 2, Closed: "is draining"}, roomy}, current: "east", want: Choice{"west", "agent east is draining"}},
		"no node":                    {agents: []Agent{{Name: "east", Seats: 2, Misfit: "no node has a GPU"}, roomy}, current: "east", want: Choice{"west", "agent east: no node has a GPU"}},
		"none has room: the first":   {agents: []Agent{full, {Name: "west", Seats: 0}}, want: Choice{"east", "agent east: 2 of 2 seats are taken; agent west: 0 of 0 seats are taken"}},
		"none has room: it stays":    {agents: []Agent{full, {Name: "west", Seats: 0}}, current: "west", want: Choice{"west", "agent east: 2 of 2 seats are taken; agent west: 0 of 0 seats are taken"}},
		"all closed":                 {agents: []Agent{{Name: "east", Closed: "is evicted"}}, none: true},
		"none":                       {none: true},
		"its agent serves no longer": {agents: []Agent{roomy}, current: "east", want: Choice{Agent: "west"}},
	} {
		t.Run(name, func(t *testing.T) {
			choice, ok := Choose(test.agents, test.current)
			assert.Equal(t, !test.none, ok)
			if ok {
				assert.Equal(t, test.want, choice)
			}
		})
	}
}

// What was chosen is chosen again: nothing goes to and fro.
func TestAChoiceStands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		agents := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) Agent {
			return Agent{
				Name:   rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "name"),
				Closed: rapid.SampledFrom([]string{"", "", "is draining"}).Draw(t, "closed"),
				Seats:  rapid.Int64Range(-1, 3).Draw(t, "seats"), Taken: rapid.Int64Range(0, 3).Draw(t, "taken"),
				Misfit: rapid.SampledFrom([]string{"", "", "no node fits"}).Draw(t, "misfit"),
			}
		}), 0, 4, func(a Agent) string { return a.Name }).Draw(t, "agents")
		choice, ok := Choose(agents, rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "current"))
		if !ok {
			for _, a := range agents {
				assert.NotEmpty(t, a.Closed)
			}
			return
		}
		again, ok := Choose(agents, choice.Agent)
		assert.True(t, ok)
		assert.Equal(t, choice.Agent, again.Agent)
		for _, a := range agents {
			if a.Name == choice.Agent {
				assert.Empty(t, a.Closed)
			}
		}
	})
}
