package workflow

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/queueyard/queueyard/pkg/suggest"
)

// Node is one step of a DAG.
type Node struct {
	// Name of the node, unique in its DAG.
	Name string `json:"name"`

	// DependsOn names the nodes whose statuses decide when this one starts. None: it starts at once. A
	// name that is repeated counts once.
	DependsOn []string `json:"dependsOn,omitempty"`

	// Trigger says what it needs of them. Default all_succeeded.
	Trigger Trigger `json:"trigger,omitempty"`

	// SkipOnUpstreamSkip: it is skipped when one of them is. Default: a skipped one counts as succeeded.
	SkipOnUpstreamSkip bool `json:"skipOnUpstreamSkip,omitempty"`
}

// MaxNodes is more than any workflow has nodes or trials.
const MaxNodes = 1 << 40

// Graph is a DAG that was found sound. It does not change. Nodes are known by their place in the
// declaration, from 0.
type Graph struct {
	nodes []Node
	index map[string]int
	up    [][]int32
	down  [][]int32
	order []int32
	rank  []int32 // the place of each node in order
}

// maxErrors is how many errors of a DAG are worth reading at once.
const maxErrors = 10

// NewGraph checks nodes and orders them. It costs O(nodes log nodes + dependencies).
func NewGraph(nodes []Node) (*Graph, error) {
	g := &Graph{nodes: slices.Clone(nodes), index: make(map[string]int, len(nodes))}
	var errs []error
	add := func(format string, args ...any) {
		if len(errs) < maxErrors {
			errs = append(errs, fmt.Errorf(format, args...))
		} else if len(errs) == maxErrors {
			errs = append(errs, errors.New("there are more errors: correct these first"))
		}
	}
	for i, n := range nodes {
		first, declared := g.index[n.Name]
		switch {
		case n.Name == "":
			add("node %d has no name: give it one", i)
		case declared:
			add("node %q is declared twice, at places %d and %d: rename one of them", n.Name, first, i)
		default:
			g.index[n.Name] = i
		}
		if n.Trigger != "" && !slices.Contains(Triggers, n.Trigger) {
			add("node %q has the unknown trigger %q%s: use one of %s", n.Name, n.Trigger, suggest.DidYouMean(string(n.Trigger), triggerNames()), strings.Join(triggerNames(), ", "))
		}
	}
	g.up = make([][]int32, len(nodes))
	g.down = make([][]int32, len(nodes))
	last := make([]int32, len(nodes)) // the node, plus one, that last named this one: finds what is repeated
	for i, n := range nodes {
		for _, name := range n.DependsOn {
			u, known := g.index[name]
			switch {
			case !known:
				suggestion := ""
				if len(errs) < maxErrors { // looking for one walks all names
					suggestion = suggest.DidYouMean(name, g.names())
				}
				add("node %q depends on %q, which does not exist%s: correct its dependsOn, or add that node", n.Name, name, suggestion)
			case name == n.Name:
				add("node %q depends on itself: remove it from its dependsOn", n.Name)
			case last[u] != int32(i+1):
				last[u] = int32(i + 1)
				g.up[i] = append(g.up[i], int32(u))
				g.down[u] = append(g.down[u], int32(i))
			}
		}
	}
	if errs != nil {
		return nil, errors.Join(errs...)
	}
	if cycle := g.sort(); cycle != nil {
		return nil, fmt.Errorf("nodes depend on each other in a cycle: %s (each depends on the next): remove one of these dependencies", path(g.names(), cycle))
	}
	return g, nil
}

// Len is how many nodes there are.
func (g *Graph) Len() int { return len(g.nodes) }

// Node is the node at a place of the declaration.
func (g *Graph) Node(i int) Node { return g.nodes[i] }

// Index is the place of a node in the declaration.
func (g *Graph) Index(name string) (int, bool) {
	i, ok := g.index[name]
	return i, ok
}

// Order is a topological order of the nodes: the caller must not change it.
func (g *Graph) Order() []int32 { return g.order }

// Upstreams are the nodes that a node depends on, in the order it names them: the caller must not change them.
func (g *Graph) Upstreams(i int) []int32 { return g.up[i] }

// Dependents are the nodes that depend on a node, in the order of the declaration: the caller must not change them.
func (g *Graph) Dependents(i int) []int32 { return g.down[i] }

func (g *Graph) names() []string {
	names := make([]string, len(g.nodes))
	for i, n := range g.nodes {
		names[i] = n.Name
	}
	return names
}

func triggerNames() []string {
	names := make([]string, len(Triggers))
	for i, t := range Triggers {
		names[i] = string(t)
	}
	return names
}
