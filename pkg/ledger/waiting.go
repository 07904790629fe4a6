package ledger

import "container/heap"

// Place is a place in the line of a queue. The zero Place is before its beginning.
type Place struct {
	group             lineGroup
	Priority, Created int64
	UID               string // the pod that stands there
}

// Group and PlaceOf take a Place apart and put it together, for tokens.
func (p Place) Group() int { return int(p.group) }

// PlaceOf is the place of a pod of which only this is known.
func PlaceOf(group int, priority, created int64, uid string) Place {
	return Place{lineGroup(group), priority, created, uid}
}

// lineGroup orders the shapes of a queue before their pods do.
type lineGroup int8

const (
	seatedGroup lineGroup = iota // their operation has a seat
	waitingGroup
	neverGroup // can't ever fit: in no line, listed last
)

func (s *shape) group() lineGroup {
	switch {
	case s.never:
		return neverGroup
	case s.seated:
		return seatedGroup
	}
	return waitingGroup
}

// Waiter is an operation that waits, at the place of its first pod.
type Waiter struct {
	Place
	Pods int // of it that wait
	Explanation
}

// Line is a part of a queue's line.
type Line struct {
	Waiters []Waiter
	// Next is the place to go on from. The zero Place: this was the end.
	Next Place
	// Waiting counts the pods in line, Never those that can't ever fit, BackingOff the operations of
	// which every pod is suspended.
	Waiting, Never, BackingOff int
}

// lineSteps bounds the pods that one call walks over, so that an operation of very many pods does
// not make it long.
const lineSteps = 2000

// Waiting lists operations that wait in a queue, in the order of admission, beginning behind a
// place. An operation is listed once, at its first pod; listed remembers over several calls those that
// were met. There may be fewer than max though it was not the end. Its cost is O(shapes·log n + max).
func (l *Ledger) Waiting(queue string, after Place, max int, listed map[string]bool) (Line, bool) {
	q := l.queues[queue]
	if q == nil {
		return Line{}, false
	}
	walk := q.walk(after)
	line := Line{Waiting: walk.waiting, Never: walk.never, BackingOff: q.counts.suspended}
	for steps := 0; ; steps++ {
		p := walk.peek()
		if p == nil {
			line.Next = Place{}
			return line, true
		}
		if len(line.Waiters) == max || steps == lineSteps {
			return line, true
		}
		walk.step()
		place := Place{p.shape.group(), p.priority, p.created, p.uid}
		line.Next = place
		if listed[p.op.name] {
			continue
		}
		listed[p.op.name] = true
		if !p.leads() {
			continue
		}
		w := Waiter{Place: place, Pods: int(p.op.waits), Explanation: l.explain(p)}
		if !p.shape.never {
			w.Position, w.Explanation.Waiting = walk.position, walk.waiting
		}
		line.Waiters = append(line.Waiters, w)
	}
}

// leads says whether a waiting pod is the first of its operation in line.
func (p *pod) leads() bool {
	if p.op.waits == 1 {
		return true
	}
	for m := p.op.members; m != nil; m = m.following {
		if m != p && m.shape != nil && inLineBefore(m, p) {
			return false
		}
	}
	return true
}

func inLineBefore(a, b *pod) bool {
	if g, h := a.shape.group(), b.shape.group(); g != h {
		return g < h
	}
	return podBefore(a, b)
}

// lineWalk goes through the shapes of a queue in the order of its line.
type lineWalk struct {
	shapes         lineHeap
	position       int // of the pod stepped over last
	waiting, never int // pods in all
}

// lineHeap is the next pod of every shape that has one.
type lineHeap []cursor

func (h lineHeap) Len() int           { return len(h) }
func (h lineHeap) Less(i, j int) bool { return inLineBefore(h[i].pod(), h[j].pod()) }
func (h lineHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *lineHeap) Push(x any)        { *h = append(*h, x.(cursor)) }
func (h *lineHeap) Pop() any {
	last := len(*h) - 1
	n := (*h)[last]
	*h = (*h)[:last]
	return n
}

// walk begins behind a place.
func (q *queue) walk(after Place) *lineWalk {
	w := &lineWalk{}
	at := &pod{priority: after.Priority, created: after.Created, uid: after.UID}
	for s := range q.shapes {
		group := s.group()
		first, passed := s.pods.start(), 0
		switch {
		case after.UID == "" || group > after.group:
		case group < after.group:
			first, passed = cursor{}, s.pods.len()
		default:
			first, passed = s.pods.behind(at)
		}
		if first.page != nil {
			w.shapes = append(w.shapes, first)
		}
		if s.never {
			w.never += s.pods.len()
		} else {
			w.waiting += s.pods.len()
			w.position += passed
		}
	}
	heap.Init(&w.shapes)
	return w
}

// peek is the next pod; nil at the end.
func (w *lineWalk) peek() *pod {
	if len(w.shapes) == 0 {
		return nil
	}
	return w.shapes[0].pod()
}

// step goes over the next pod.
func (w *lineWalk) step() {
	w.position++
	if next := w.shapes[0].next(); next.page != nil {
		w.shapes[0] = next
		heap.Fix(&w.shapes, 0)
	} else {
		heap.Pop(&w.shapes)
	}
}
