package workflow

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// dag builds nodes from lines: "name: upstream upstream".
func dag(lines ...string) []Node {
	var nodes []Node
	for _, line := range lines {
		name, upstreams, _ := strings.Cut(line, ":")
		nodes = append(nodes, Node{Name: name, DependsOn: strings.Fields(upstreams)})
	}
	return nodes
}

func graph(t testing.TB, lines ...string) *Graph {
	g, err := NewGraph(dag(lines...))
	require.NoError(t, err)
	return g
}

func TestNewGraphRefuses(t *testing.T) {
	tests := []struct {
		name  string
		nodes []Node
		want  string
	}{
		{"unknown", dag("prepare", "train: prepar"), `node "train" depends on "prepar", which does not exist (did you mean "prepare"?): correct its dependsOn, or add that node`},
		{"unknown, nothing near", dag("a", "train: dataset"), `node "train" depends on "dataset", which does not exist: correct its dependsOn, or add that node`},
		{"twice", dag("a", "b", "a"), `node "a" is declared twice, at places 0 and 2: rename one of them`},
		{"no name", dag("a", ""), `node 1 has no name: give it one`},
		{"itself", dag("a: a"), `node "a" depends on itself: remove it from its dependsOn`},
		{"cycle of two", dag("a: b", "b: a"), `nodes depend on each other in a cycle: a → b → a (each depends on the next): remove one of these dependencies`},
		{"cycle of three behind others", dag("z: a", "start", "b: c start", "c: a", "a: start b"), `nodes depend on each other in a cycle: b → c → a → b (each depends on the next): remove one of these dependencies`},
		{"trigger", []Node{{Name: "a", Trigger: "all_suceeded"}}, `node "a" has the unknown trigger "all_suceeded" (did you mean "all_succeeded"?): use one of all_succeeded, all_failed, all_done, one_succeeded, one_failed, one_done`},
		{"several", dag("a: a", "b: x"), "node \"a\" depends on itself: remove it from its dependsOn\nnode \"b\" depends on \"x\", which does not exist: correct its dependsOn, or add that node"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewGraph(tt.nodes)
			require.EqualError(t, err, tt.want)
		})
	}
}

func TestNewGraphBoundsItsErrors(t *testing.T) {
	var nodes []Node
	for i := range 10_000 {
		nodes = append(nodes, Node{Name: fmt.Sprint("n", i), DependsOn: []string{fmt.Sprint("m", i)}})
	}
	_, err := NewGraph(nodes)
	require.Len(t, strings.Split(err.Error(), "\n"), maxErrors+1)

	nodes = nodes[:100]
	for i := range nodes {
		nodes[i].DependsOn = []string{fmt.Sprint("n", (i+1)%100)}
	}
	_, err = NewGraph(nodes)
	require.ErrorContains(t, err, "n0 → n1 → n2 → n3 → n4 → n5 → n6 → n7 → n8 → n9 → n10 → (88 more) → n99 → n0 (")
}

func TestOrder(t *testing.T) {
	tests := []struct {
		nodes []string
		want  string
	}{
		{nil, ""},
		{[]string{"a", "b", "c"}, "a b c"},
		{[]string{"c: b", "b: a", "a"}, "a b c"},
		{[]string{"late: first", "free", "first"}, "free first late"},
		{[]string{"join: l r", "r: top", "l: top", "top"}, "top r l join"},
		{[]string{"a", "b: a a a"}, "a b"},
	}
	for _, tt := range tests {
		g := graph(t, tt.nodes...)
		var got []string
		for _, i := range g.Order() {
			got = append(got, g.Node(int(i)).Name)
		}
		require.Equal(t, tt.want, strings.Join(got, " "))
	}
	g := graph(t, "a", "b: a a a")
	require.Equal(t, []int32{0}, g.Upstreams(1), "a repeated dependency counts once")
	require.Equal(t, []int32{1}, g.Dependents(0))
}

// nodes are a random DAG, its declaration in a random order.
func nodes(maxNodes, maxUpstreams int) *rapid.Generator[[]Node] {
	return rapid.Custom(func(t *rapid.T) []Node {
		n := rapid.IntRange(0, maxNodes).Draw(t, "nodes")
		out := make([]Node, n)
		for i := range out {
			out[i] = Node{
				Name:               fmt.Sprint("n", i),
				Trigger:            rapid.SampledFrom(Triggers).Draw(t, "trigger"),
				SkipOnUpstreamSkip: rapid.IntRange(0, 3).Draw(t, "skip") == 0,
			}
			if i > 0 {
				for range rapid.IntRange(0, maxUpstreams).Draw(t, "upstreams") {
					out[i].DependsOn = append(out[i].DependsOn, fmt.Sprint("n", rapid.IntRange(max(0, i-6), i-1).Draw(t, "upstream")))
				}
			}
		}
		if n > 0 {
			out = rapid.Permutation(out).Draw(t, "declaration")
		}
		return out
	})
}

// The order is a permutation, upstreams go first, and no node could have been replaced by one declared earlier.
func TestOrderProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, err := NewGraph(nodes(30, 3).Draw(t, "dag"))
		if err != nil {
			t.Fatal(err)
		}
		placed := make([]bool, g.Len())
		for _, i := range g.Order() {
			for candidate := range g.Len() {
				ready := !placed[candidate] && !slices.ContainsFunc(g.Upstreams(candidate), func(u int32) bool { return !placed[u] })
				if ready {
					if candidate != int(i) {
						t.Fatalf("%d was next, the order has %d", candidate, i)
					}
					break
				}
			}
			placed[i] = true
		}
		if slices.Contains(placed, false) {
			t.Fatal("a node is missing")
		}
	})
}

// A cycle is found where there is one, and what is named is one.
func TestCycleProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 11).Draw(t, "nodes")
		depends := map[string][]string{}
		var declared []Node
		for i := range n {
			name := string(rune('a' + i))
			for range rapid.IntRange(0, 2).Draw(t, "upstreams") {
				if u := string(rune('a' + rapid.IntRange(0, n-1).Draw(t, "upstream"))); u != name {
					depends[name] = append(depends[name], u)
				}
			}
			declared = append(declared, Node{Name: name, DependsOn: depends[name]})
		}
		var reaches func(from, to string, seen map[string]bool) bool
		reaches = func(from, to string, seen map[string]bool) bool {
			for _, u := range depends[from] {
				if u == to || !seen[u] && func() bool { seen[u] = true; return reaches(u, to, seen) }() {
					return true
				}
			}
			return false
		}
		cyclic := slices.ContainsFunc(declared, func(n Node) bool { return reaches(n.Name, n.Name, map[string]bool{}) })
		_, err := NewGraph(declared)
		if cyclic != (err != nil) {
			t.Fatalf("cyclic %v, error %v", cyclic, err)
		}
		if err == nil {
			return
		}
		text := strings.TrimPrefix(err.Error(), "nodes depend on each other in a cycle: ")
		text, _, _ = strings.Cut(text, " (")
		walk := strings.Split(text, " → ")
		if walk[0] != walk[len(walk)-1] || len(walk) < 3 {
			t.Fatalf("no cycle: %s", text)
		}
		for i := range len(walk) - 1 {
			if !slices.Contains(depends[walk[i]], walk[i+1]) {
				t.Fatalf("%s does not depend on %s: %s", walk[i], walk[i+1], text)
			}
		}
	})
}
