package ledger

import (
	"slices"
	"sort"
)

// roster is waiting pods in order: a B+ tree with the number of pods below each page. What pods are
// compared by stands in the pages, and pods that go next stand side by side: with a million pods it is
// memory that takes the time, not comparing.
type roster struct {
	head        *pod // the first pod; nil: there is none
	root, first *page
	// What is left of the first page. The pods before that were taken away from the front, and the pages
	// do not know of it yet: who takes the first pod has to look at no page but there.
	front []entry
	taken int // how many of these
}

// pageMost is how many entries a page has at most; one that has fewer than pageFew looks for a neighbour
// to join.
const (
	pageMost = 32
	pageFew  = pageMost / 4
)

type page struct {
	size    int // pods in it or below it
	up      *page
	entries []entry
	below   []*page // of an inner page: no pod below a page is before its entry, the first one's aside
}

// entry is a pod, which may have left where it only divides pages, and what it is compared by.
type entry struct {
	priority, created int64
	pod               *pod
}

func entryOf(p *pod) entry { return entry{p.priority, p.created, p} }

func (e *entry) before(o *entry) bool {
	switch {
	case e.priority != o.priority:
		return e.priority > o.priority
	case e.created != o.created:
		return e.created < o.created
	}
	return e.pod.uid < o.pod.uid
}

// passed is how many entries of a page are not behind e.
func (g *page) passed(e *entry) int {
	return sort.Search(len(g.entries), func(i int) bool { return e.before(&g.entries[i]) })
}

// child is the place of the page below an inner one where e is or would be.
func (g *page) child(e *entry) int { return max(g.passed(e)-1, 0) }

func (r *roster) len() int {
	if r.root == nil {
		return 0
	}
	return r.root.size - r.taken
}

func (r *roster) insert(p *pod) {
	e := entryOf(p)
	if r.root == nil {
		r.root = &page{size: 1, entries: []entry{e}}
		r.begin()
		return
	}
	r.settle()
	g := r.root
	for g.below != nil {
		g = g.below[g.child(&e)]
	}
	at, front := g.passed(&e), g == r.first
	if len(g.entries) == pageMost {
		keep := pageMost / 2
		if at == pageMost {
			keep = pageMost // pods mostly come in order: leave full pages behind
		}
		right := r.split(g, keep, e)
		if at > keep || keep == pageMost {
			g, at = right, at-keep
		}
	}
	g.entries = insertEntry(g.entries, at, e)
	for up := g; up != nil; up = up.up {
		up.size++
	}
	if front {
		r.begin()
	}
}

// begin finds the front again.
func (r *roster) begin() {
	r.first = r.root.leftmost()
	r.front = r.first.entries
	r.head = r.front[0].pod
}

// settle lets the pages know of the pods that were taken away from the front.
func (r *roster) settle() {
	if r.taken == 0 {
		return
	}
	clear(r.first.entries[:r.taken])
	r.first.entries = r.front
	for up := r.first; up != nil; up = up.up {
		up.size -= r.taken
	}
	r.taken = 0
}

// insertEntry is slices.Insert that makes no page larger than it may become.
func insertEntry(list []entry, at int, e entry) []entry {
	if len(list) == cap(list) {
		list = append(make([]entry, 0, min(max(2*len(list), 4), pageMost+1)), list...)
	}
	return slices.Insert(list, at, e)
}

// split moves the entries of a page after the first ones to a new page behind it. A page that gets none
// is to get e first.
func (r *roster) split(g *page, keep int, e entry) *page {
	right := &page{up: g.up}
	if keep < len(g.entries) {
		e = g.entries[keep]
	}
	right.entries = append(make([]entry, 0, pageMost), g.entries[keep:]...)
	clear(g.entries[keep:])
	g.entries = g.entries[:keep]
	if g.below == nil {
		right.size = len(right.entries)
	} else {
		right.below = slices.Clone(g.below[keep:])
		clear(g.below[keep:])
		g.below = g.below[:keep]
		for _, child := range right.below {
			child.up = right
			right.size += child.size
		}
	}
	g.size -= right.size
	if g.up == nil {
		r.root = &page{size: g.size + right.size, entries: []entry{g.entries[0], e}, below: []*page{g, right}}
		g.up, right.up = r.root, r.root
		return right
	}
	at := slices.Index(g.up.below, g) + 1
	g.up.entries = insertEntry(g.up.entries, at, e)
	g.up.below = slices.Insert(g.up.below, at, right)
	if len(g.up.below) > pageMost {
		r.split(g.up, pageMost/2, e)
	}
	return right
}

func (r *roster) remove(p *pod) {
	if p == r.head && len(r.front) > 1 {
		r.front = r.front[1:]
		r.head = r.front[0].pod
		r.taken++
		return
	}
	r.settle()
	g, at := r.first, 0
	if p != r.head {
		e := entryOf(p)
		g = r.root
		for g.below != nil {
			g = g.below[g.child(&e)]
		}
		at = g.passed(&e) - 1
	}
	if at == 0 {
		g.entries[0] = entry{}
		g.entries = g.entries[1:]
	} else {
		g.entries = slices.Delete(g.entries, at, at+1)
	}
	for up := g; up != nil; up = up.up {
		up.size--
	}
	if len(g.entries) < pageFew {
		r.shrink(g)
	} else if g != r.first {
		return
	}
	if r.root == nil {
		*r = roster{}
		return
	}
	r.begin()
}

// shrink drops a page that has become empty, or joins one that has become small with a neighbour.
func (r *roster) shrink(g *page) {
	for ; len(g.entries) < pageFew && g.up != nil; g = g.up {
		up := g.up
		at := slices.Index(up.below, g)
		if len(g.entries) == 0 {
			up.drop(at)
			continue
		}
		at = min(at, len(up.below)-2)
		if at < 0 || len(up.below[at].entries)+len(up.below[at+1].entries) > pageMost/2 {
			break
		}
		up.join(at)
	}
	for len(r.root.below) == 1 {
		r.root = r.root.below[0]
		r.root.up = nil
	}
	if len(r.root.entries) == 0 {
		r.root = nil
	}
}

func (g *page) drop(at int) {
	g.entries = slices.Delete(g.entries, at, at+1)
	g.below = slices.Delete(g.below, at, at+1)
}

// join moves what the page behind one has to that one.
func (g *page) join(at int) {
	left, right := g.below[at], g.below[at+1]
	moved := len(left.entries)
	left.entries = append(left.entries, right.entries...)
	if right.below != nil {
		left.entries[moved] = g.entries[at+1]
		left.below = append(left.below, right.below...)
		for _, child := range right.below {
			child.up = left
		}
	}
	left.size += right.size
	g.drop(at + 1)
}

func (g *page) leftmost() *page {
	for g.below != nil {
		g = g.below[0]
	}
	return g
}

// cursor is the place of a pod in a roster that does not change meanwhile. The zero cursor is the end.
type cursor struct {
	page *page
	at   int
}

func (c cursor) pod() *pod { return c.page.entries[c.at].pod }

func (c cursor) next() cursor {
	if c.at++; c.at < len(c.page.entries) {
		return c
	}
	for g := c.page; g.up != nil; g = g.up {
		if at := slices.Index(g.up.below, g) + 1; at < len(g.up.below) {
			return cursor{g.up.below[at].leftmost(), 0}
		}
	}
	return cursor{}
}

func (r *roster) start() cursor {
	r.settle()
	return cursor{r.first, 0}
}

// find is the page of a roster that is not empty where a pod is or would be, and how many pods are in
// those before it.
func (r *roster) find(e *entry) (g *page, before int) {
	for g = r.root; g.below != nil; {
		at := g.child(e)
		for _, passed := range g.below[:at] {
			before += passed.size
		}
		g = g.below[at]
	}
	return g, before
}

// before counts the pods that come before this one, which need not be among them.
func (r *roster) before(p *pod) int {
	r.settle()
	e := entryOf(p)
	g, before := r.find(&e)
	return before + sort.Search(len(g.entries), func(i int) bool { return !g.entries[i].before(&e) })
}

// behind is the place of the first pod that comes after this one, which need not be among them, and how
// many do not.
func (r *roster) behind(p *pod) (c cursor, passed int) {
	r.settle()
	e := entryOf(p)
	g, before := r.find(&e)
	at := g.passed(&e)
	if at < len(g.entries) {
		return cursor{g, at}, before + at
	}
	return cursor{g, at - 1}.next(), before + at
}

// all yields the pods in order.
func (r *roster) all(yield func(*pod) bool) {
	for c := r.start(); c.page != nil && yield(c.pod()); c = c.next() {
	}
}
