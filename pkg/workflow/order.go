package workflow

import (
	"fmt"
	"strings"
)

// sort puts the nodes in topological order, of those that could come next the one declared first, or
// finds a cycle that prevents it.
func (g *Graph) sort() []int32 {
	missing := make([]int32, len(g.nodes)) // upstreams that are not in the order yet
	var ready heap
	for i, up := range g.up {
		missing[i] = int32(len(up))
		if len(up) == 0 {
			ready.push(int32(i))
		}
	}
	g.order = make([]int32, 0, len(g.nodes))
	g.rank = make([]int32, len(g.nodes))
	for len(ready) > 0 {
		i := ready.pop()
		g.rank[i] = int32(len(g.order))
		g.order = append(g.order, i)
		for _, d := range g.down[i] {
			if missing[d]--; missing[d] == 0 {
				ready.push(d)
			}
		}
	}
	if len(g.order) == len(g.nodes) {
		return nil
	}
	return cycle(g.up, missing)
}

// cycle finds a cycle among the nodes that miss upstreams, starting at the one that comes first.
func cycle(up [][]int32, missing []int32) []int32 {
	at := int32(0)
	for missing[at] == 0 {
		at++
	}
	// Each of them misses another of them, so a walk along these must return to where it has been.
	var walk []int32
	step := make([]int, len(up))
	for step[at] == 0 {
		walk = append(walk, at)
		step[at] = len(walk)
		for _, u := range up[at] {
			if missing[u] > 0 {
				at = u
				break
			}
		}
	}
	found := walk[step[at]-1:]
	least := 0
	for k, i := range found {
		if i < found[least] {
			least = k
		}
	}
	return append(append([]int32{}, found[least:]...), found[:least]...)
}

// maxPath is how many names of a long cycle are worth reading.
const maxPath = 12

// path writes a cycle: a → b → a.
func path(names []string, cycle []int32) string {
	var b strings.Builder
	for k, i := range cycle {
		if len(cycle) > maxPath && k == maxPath-1 {
			fmt.Fprintf(&b, "(%d more) → ", len(cycle)-maxPath)
		}
		if len(cycle) <= maxPath || k < maxPath-1 || k == len(cycle)-1 {
			b.WriteString(names[i] + " → ")
		}
	}
	b.WriteString(names[cycle[0]])
	return b.String()
}

// heap yields the smallest of its numbers first.
type heap []int32

func (h *heap) push(v int32) {
	s := append(*h, v)
	for i := len(s) - 1; i > 0; {
		parent := (i - 1) / 2
		if s[parent] <= s[i] {
			break
		}
		s[parent], s[i] = s[i], s[parent]
		i = parent
	}
	*h = s
}

func (h *heap) pop() int32 {
	s := *h
	least, last := s[0], len(s)-1
	s[0] = s[last]
	s = s[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			break
		}
		if child+1 < last && s[child+1] < s[child] {
			child++
		}
		if s[i] <= s[child] {
			break
		}
		s[i], s[child] = s[child], s[i]
		i = child
	}
	*h = s
	return least
}
