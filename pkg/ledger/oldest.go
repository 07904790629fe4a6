package ledger

// elders is a heap of the pods of a queue that may be pending, the oldest first. It is cleaned when it
// is asked: a pod that no longer is pending stays until it would be the answer, or until such pods
// are most of it. So a pod that comes and goes costs a push and its share of a clean-up.
type elders []elder

type elder struct {
	created int64
	pod     *pod
}

// eldersSlack is how many pods that are gone a small queue keeps before it looks.
const eldersSlack = 64

// pending says whether a pod waits, or is in back-off, and its operation has no seat.
func (p *pod) pending() bool {
	return (p.state == Waiting || p.state == Suspended) && p.op.holders() == 0
}

// remember enters a pod that has become pending, unless it is there from another time.
func (q *queue) remember(p *pod) {
	if p.remembered {
		return
	}
	if len(q.elders) > 2*q.refs+eldersSlack {
		q.elders.clean()
	}
	p.remembered = true
	q.elders.push(elder{p.created, p})
}

// rememberAll enters the pods of an operation that has lost its seat.
func (o *operation) rememberAll() {
	for p := o.members; p != nil; p = p.following {
		if p.pending() {
			o.queue.remember(p)
		}
	}
}

// oldest is when the pod was created that is pending for longest; 0 if there is none.
func (q *queue) oldest() int64 {
	for len(q.elders) > 0 {
		if q.elders[0].pod.pending() {
			return q.elders[0].created
		}
		q.elders.pop()
	}
	return 0
}

func (h *elders) push(e elder) {
	*h = append(*h, e)
	s := *h
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if s[up].created <= s[i].created {
			break
		}
		s[up], s[i] = s[i], s[up]
		i = up
	}
}

func (h *elders) pop() {
	s := *h
	s[0].pod.remembered = false
	last := len(s) - 1
	s[0], s[last] = s[last], elder{}
	*h = s[:last]
	h.sink(0)
}

func (h *elders) sink(i int) {
	for s := *h; ; {
		least := i
		for _, child := range []int{2*i + 1, 2*i + 2} {
			if child < len(s) && s[child].created < s[least].created {
				least = child
			}
		}
		if least == i {
			return
		}
		s[i], s[least] = s[least], s[i]
		i = least
	}
}

func (h *elders) clean() {
	kept := (*h)[:0]
	for _, e := range *h {
		if e.pod.pending() {
			kept = append(kept, e)
		} else {
			e.pod.remembered = false
		}
	}
	clear((*h)[len(kept):])
	*h = kept
	for i := len(kept)/2 - 1; i >= 0; i-- {
		h.sink(i)
	}
}
