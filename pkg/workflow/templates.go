package workflow

import (
	"errors"
	"fmt"
	"math"

	"github.com/queueyard/queueyard/pkg/suggest"
)

// Template is one of the named templates of a workflow, as far as nesting goes. One that uses no others
// is a single operation.
type Template struct {
	Name string
	Uses []Use
}

// Use is a template's use of another: by a node of a DAG, or by a matrix for each of its children.
type Use struct {
	Template string
	// Times that it is used; below 1 counts as once.
	Times int64
}

// Size is what a workflow becomes when all its templates are followed.
type Size struct {
	// Operations at most; math.MaxInt64 stands for as many or more.
	Operations int64
	// Depth of nesting: 1 for a single operation.
	Depth int
}

// CheckTemplates refuses templates without names, repeated and unknown ones, and templates that would
// include themselves without end, also those that the entrypoint does not reach. It says what becomes of the
// entrypoint: a few templates that use each other twice grow beyond any cluster, so a caller should bound it.
func CheckTemplates(entrypoint string, templates []Template) (Size, error) {
	index := make(map[string]int, len(templates))
	names := make([]string, len(templates))
	var errs []error
	for i, t := range templates {
		names[i] = t.Name
		first, declared := index[t.Name]
		switch {
		case t.Name == "":
			errs = append(errs, fmt.Errorf("template %d has no name: give it one", i))
		case declared:
			errs = append(errs, fmt.Errorf("template %q is declared twice, at places %d and %d: rename one of them", t.Name, first, i))
		default:
			index[t.Name] = i
		}
	}
	g := &Graph{nodes: make([]Node, len(templates)), up: make([][]int32, len(templates)), down: make([][]int32, len(templates))}
	for i, t := range templates {
		g.nodes[i].Name = t.Name
		for _, use := range t.Uses {
			u, known := index[use.Template]
			switch {
			case !known:
				errs = append(errs, fmt.Errorf("template %q uses template %q, which does not exist%s: correct the name, or add that template", t.Name, use.Template, suggest.DidYouMean(use.Template, names)))
			case u == i:
				errs = append(errs, fmt.Errorf("template %q uses itself: it would never end", t.Name))
			default:
				g.up[i] = append(g.up[i], int32(u))
				g.down[u] = append(g.down[u], int32(i))
			}
		}
	}
	start, known := index[entrypoint]
	if !known {
		errs = append(errs, fmt.Errorf("entrypoint %q is no template%s: name one of templates", entrypoint, suggest.DidYouMean(entrypoint, names)))
	}
	if len(errs) > maxErrors {
		errs = append(errs[:maxErrors], errors.New("there are more errors: correct these first"))
	}
	if errs != nil {
		return Size{}, errors.Join(errs...)
	}
	if cycle := g.sort(); cycle != nil {
		return Size{}, fmt.Errorf("templates use each other without end: %s: remove one of these uses", path(names, cycle))
	}
	return size(g, templates, index)[start], nil
}

// size follows the templates from those that use no others upwards.
func size(g *Graph, templates []Template, index map[string]int) []Size {
	sizes := make([]Size, len(templates))
	for _, i := range g.order {
		uses := templates[i].Uses
		s := Size{Operations: 1, Depth: 1}
		if len(uses) > 0 {
			s.Operations = 0
		}
		for _, use := range uses {
			inner := sizes[index[use.Template]]
			s.Operations = plus(s.Operations, times(inner.Operations, max(1, use.Times)))
			s.Depth = max(s.Depth, inner.Depth+1)
		}
		sizes[i] = s
	}
	return sizes
}

// plus and times of numbers that are not negative stop at the largest.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

func times(a, b int64) int64 {
	if a > 0 && b > math.MaxInt64/a {
		return math.MaxInt64
	}
	return a * b
}
