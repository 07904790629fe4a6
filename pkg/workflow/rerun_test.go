package workflow

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestRerun(t *testing.T) {
	with := func(trigger Trigger, n Node) Node { n.Trigger = trigger; return n }
	join := dag("a", "b", "join: a b")
	tests := []struct {
		name     string
		nodes    []Node
		statuses []Status
		want     []string
	}{
		{"all is well", dag("a", "b: a"), []Status{Succeeded, Succeeded}, nil},
		{"a failure and what hung on it", dag("a", "b: a", "c: b", "d: a"), []Status{Succeeded, Failed, UpstreamFailed, Succeeded}, []string{"b: failed", "c whole: upstream_failed"}},
		{"a stop", dag("a", "b: a"), []Status{Stopped, UpstreamFailed}, []string{"a: stopped", "b whole: upstream_failed"}},
		{"a skip because of a condition is kept", dag("a", "b", "c: a"), []Status{Skipped, Failed, Succeeded}, []string{"b: failed"}},
		{"a skip that hangs on what runs again is decided again", []Node{join[0], join[1], with(AllDone, join[2])}, []Status{Succeeded, Failed, Skipped}, []string{"b: failed", "join whole: an upstream runs again"}},
		{"a success that took the failure for an answer runs again", []Node{join[0], join[1], with(AllDone, join[2])}, []Status{Succeeded, Failed, Succeeded},
			[]string{"b: failed", "join whole: an upstream that decided it runs again"}},
		{"also an alert", []Node{join[0], join[1], with(OneFailed, join[2])}, []Status{Succeeded, Failed, Succeeded}, []string{"b: failed", "join whole: an upstream that decided it runs again"}},
		{"a success that did not need it is kept", []Node{join[0], join[1], with(OneSucceeded, join[2])}, []Status{Succeeded, Failed, Succeeded}, []string{"b: failed"}},
		{"a failure that did not need it, too, but runs again", []Node{join[0], join[1], with(OneSucceeded, join[2])}, []Status{Succeeded, Failed, Failed}, []string{"b: failed", "join: failed"}},
		{"a failure behind a failure runs again whole", []Node{join[0], join[1], with(AllDone, join[2])}, []Status{Succeeded, Failed, Failed}, []string{"b: failed", "join whole: failed"}},
		{"an alert that was not needed stays unneeded", []Node{{Name: "a"}, {Name: "alert", DependsOn: []string{"a"}, Trigger: AllFailed}}, []Status{Succeeded, UpstreamFailed}, nil},
		{"unless it was for what runs again", []Node{join[0], join[1], with(AllFailed, join[2]), {Name: "x", DependsOn: []string{"join"}}}, []Status{Stopped, Failed, UpstreamFailed, UpstreamFailed},
			[]string{"a: stopped", "b: failed", "join whole: upstream_failed", "x whole: upstream_failed"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, err := NewGraph(tt.nodes)
			require.NoError(t, err)
			var got []string
			for _, r := range Rerun(g, tt.statuses) {
				text := g.Node(r.Node).Name
				if r.Whole {
					text += " whole"
				}
				got = append(got, text+": "+r.Reason)
			}
			require.Equal(t, tt.want, got)
		})
	}
}

// finish runs a DAG to its end.
func finish(t *rapid.T, g *Graph, statuses []Status, outcome *rapid.Generator[Status]) {
	for {
		for _, d := range Advance(g, statuses, nil) {
			statuses[d.Node] = d.Status
		}
		active := false
		for i, s := range statuses {
			if s == Active {
				active = true
				statuses[i] = outcome.Draw(t, fmt.Sprint("outcome of ", i))
			}
		}
		if !active {
			return
		}
	}
}

// What ended badly runs again, what is kept would be decided the same by what is kept, and after a repair
// where all goes well nothing ended badly that did not have to.
func TestRerunProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, err := NewGraph(nodes(15, 3).Draw(t, "dag"))
		if err != nil {
			t.Fatal(err)
		}
		statuses := make([]Status, g.Len())
		finish(t, g, statuses, rapid.SampledFrom([]Status{Succeeded, Succeeded, Failed, Stopped}))
		before := strings.Clone(fmt.Sprint(statuses))
		again := Rerun(g, statuses)
		if before != fmt.Sprint(statuses) {
			t.Fatal("the caller's statuses changed")
		}
		after := append([]Status{}, statuses...)
		for _, r := range again {
			after[r.Node] = Pending
		}
		for i, s := range after {
			if s == Failed || s == Stopped {
				t.Fatalf("%s is %s and does not run again", g.Node(i).Name, s)
			}
			var upstreams []Status
			for _, u := range g.Upstreams(i) {
				upstreams = append(upstreams, after[u])
			}
			n := g.Node(i)
			if s == Succeeded && expected(n.Trigger, false, upstreams) != Active || s == UpstreamFailed && expected(n.Trigger, false, upstreams) != UpstreamFailed {
				t.Fatalf("%s is kept as %s, which %v do not support", n.Name, s, upstreams)
			}
		}
		finish(t, g, after, rapid.Just(Succeeded))
		for i, s := range after {
			if s == Failed || s == Stopped || !s.Done() {
				t.Fatalf("%s is %s after the repair", g.Node(i).Name, s)
			}
		}
		for _, r := range Rerun(g, after) {
			t.Fatalf("a second repair has work: %+v", r)
		}
	})
}
