package ledger

// Holder is an operation that holds some of a limit.
type Holder struct {
	Amount int64
	Pods   []string // of it that hold room there, in no order
	// Grows says that more of its pods wait: it may hold its seat longer than those that run.
	Grows bool
}

// Holders lists the operations that hold some of what a check is about, in no order. Its cost is that
// of looking at everything that holds room in the queues concerned.
func (l *Ledger) Holders(c Check) []Holder {
	d := seats
	if c.Resource != "" {
		known, ok := l.dims.byName[c.Resource]
		if !ok {
			return nil
		}
		d = known
	}
	n := l.nodeNamed(c.Kind, c.Name)
	if n == nil {
		return nil
	}
	var holders []Holder
	in := func(q *queue) {
		for op := range q.seated.all {
			if h := op.holds(n, d); h.Amount > 0 {
				holders = append(holders, h)
			}
		}
	}
	switch c.Kind {
	case Queue:
		in(l.queues[c.Name])
	case Agent:
		for q := range l.agents[c.Name].queues {
			in(q)
		}
	default: // a tenant or a workflow holds room in any queue
		for _, q := range l.queues {
			in(q)
		}
	}
	return holders
}

// holds is what an operation holds of a dimension of a node.
func (o *operation) holds(n *limitNode, d dim) Holder {
	h := Holder{Grows: o.waits+o.suspended > 0}
	if d == seats && o.seatPath().has(n) {
		h.Amount = 1
	}
	for p := o.members; p != nil; p = p.following {
		if !p.state.Holds() || !p.path().has(n) {
			continue
		}
		if d != seats {
			amount := p.vec.of(d)
			if amount == 0 {
				continue
			}
			h.Amount = plus(h.Amount, amount)
		}
		h.Pods = append(h.Pods, p.uid)
	}
	return h
}

// Ask is room that will be taken at once.
type Ask struct {
	Amount int64
	Pods   []string // that will hold it
}

// Ahead lists what will be taken of a check's limit before the turn of a waiting pod comes, in order,
// the pod's own operation left out. It is false where that can't be told: the pod is not in line,
// more than max pods are ahead, or pods of other queues compete for the limit.
func (l *Ledger) Ahead(uid string, c Check, max int) ([]Ask, bool) {
	p, n := l.podNamed(uid), l.nodeNamed(c.Kind, c.Name)
	if p == nil || n == nil || p.state != Waiting || p.shape.never || l.shared(p.op.queue, n) {
		return nil, false
	}
	d := seats
	if c.Resource != "" {
		d = l.dims.byName[c.Resource]
	}
	var ahead []Ask
	walk := p.op.queue.walk(Place{})
	for steps := 0; ; steps++ {
		next := walk.peek()
		switch {
		case next == nil || next == p:
			return ahead, next == p
		case steps == max:
			return nil, false
		}
		walk.step()
		if next.op == p.op || !next.path().has(n) {
			continue
		}
		if d != seats {
			if amount := next.vec.of(d); amount > 0 {
				ahead = append(ahead, Ask{amount, []string{next.uid}})
			}
			continue
		}
		if next.shape.seated || !next.leads() {
			continue
		}
		ask := Ask{Amount: 1}
		for m := next.op.members; m != nil; m = m.following {
			ask.Pods = append(ask.Pods, m.uid)
		}
		ahead = append(ahead, ask)
	}
}

// shared says whether pods of other queues wait for what a node limits.
func (l *Ledger) shared(q *queue, n *limitNode) bool {
	others := func(shapes map[*shape]struct{}) bool {
		for s := range shapes {
			if s.queue != q {
				return true
			}
		}
		return false
	}
	switch n.kind {
	case Agent:
		for other := range q.agent.queues {
			if other != q && len(other.shapes) > 0 {
				return true
			}
		}
	case Project:
		return others(l.projects[n.name].shapes)
	case Organization:
		for p := range l.organizations[n.name].projects {
			if others(p.shapes) {
				return true
			}
		}
	case Workflow:
		for w := range l.workflows[n.name].subtree {
			if others(w.shapes) {
				return true
			}
		}
	}
	return false
}

// Blocking is the first check that has no room; nil if there is none.
func (e *Explanation) Blocking() *Check {
	for i := range e.Checks {
		if !e.Checks[i].OK {
			return &e.Checks[i]
		}
	}
	return nil
}
