package workflow

import (
	"fmt"
	"testing"
)

// layers is a DAG of layers whose nodes depend on three of the layer before.
func layers(n, width int) []Node {
	nodes := make([]Node, n)
	for i := range nodes {
		nodes[i].Name = fmt.Sprint("node-", i)
		if i >= width {
			base := i/width*width - width
			for k := range 3 {
				nodes[i].DependsOn = append(nodes[i].DependsOn, nodes[base+(i+k*7)%width].Name)
			}
		}
	}
	return nodes
}

func fanIn(n int) []Node {
	nodes := make([]Node, n)
	for i := range nodes {
		nodes[i].Name = fmt.Sprint("node-", i)
		if i < n-1 {
			nodes[n-1].DependsOn = append(nodes[n-1].DependsOn, nodes[i].Name)
		}
	}
	return nodes
}

// BenchmarkRun plays a DAG of 10,000 nodes from its validation to its end, a completion at a time.
func BenchmarkRun(b *testing.B) {
	for name, nodes := range map[string][]Node{"layers": layers(10_000, 100), "fan-in": fanIn(10_000), "chain": layers(10_000, 1)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				g, err := NewGraph(nodes)
				if err != nil {
					b.Fatal(err)
				}
				p := NewProgress(g, nil)
				var active []int
				for {
					for _, d := range p.Advance(nil) {
						active = append(active, d.Node)
					}
					if len(active) == 0 {
						break
					}
					p.Set(active[0], Succeeded)
					active = active[1:]
				}
				if p.Counts().Outcome() != Succeeded {
					b.Fatal(p.Counts())
				}
			}
		})
	}
}

// BenchmarkCompletion is one completion in a running DAG of 10,000 nodes: it costs its dependents.
func BenchmarkCompletion(b *testing.B) {
	g, err := NewGraph(layers(10_000, 100))
	if err != nil {
		b.Fatal(err)
	}
	p := NewProgress(g, nil)
	p.Advance(nil)
	for b.Loop() {
		p.Set(5, Succeeded)
		p.Advance(nil)
		p.Set(5, Active)
		p.Advance(nil)
	}
}

// BenchmarkAdvance decides a DAG of 10,000 nodes from all statuses.
func BenchmarkAdvance(b *testing.B) {
	g, err := NewGraph(layers(10_000, 100))
	if err != nil {
		b.Fatal(err)
	}
	statuses := make([]Status, g.Len())
	for i := range 5_000 {
		statuses[i] = Succeeded
	}
	for b.Loop() {
		Advance(g, statuses, nil)
	}
}
