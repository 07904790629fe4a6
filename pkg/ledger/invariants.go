package ledger

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// CheckInvariants recomputes everything from the pods and compares it with what is kept. It walks all
// pods; the error names each difference.
func (l *Ledger) CheckInvariants() error {
	c := checker{Ledger: l, used: map[*limitNode][]total{}, counts: map[*queue]counts{}, waiting: map[*shape]int{}}
	c.pods()
	c.nodes()
	c.queuesAndLevels()
	c.shapesAndGates()
	return errors.Join(c.found...)
}

type checker struct {
	*Ledger
	used    map[*limitNode][]total
	counts  map[*queue]counts
	waiting map[*shape]int
	found   []error
}

func (c *checker) want(ok bool, format string, args ...any) {
	if !ok {
		c.found = append(c.found, fmt.Errorf(format, args...))
	}
}

func (c *checker) charge(at path, d dim, amount int64) {
	for n := range at.nodes {
		for int(d) >= len(c.used[n]) {
			c.used[n] = append(c.used[n], total{})
		}
		c.used[n][d] = c.used[n][d].plus(total{lo: uint64(amount)})
	}
}

func (c *checker) pods() {
	byState := map[*operation]map[State]int32{}
	for p := range c.Ledger.pods.all {
		uid := p.uid
		c.want(c.podNamed(uid) == p, "pod %s is not found", uid)
		c.want(c.operationOf(p.op.hash, p.op.queue, p.op.name) == p.op, "pod %s: its operation %s is not known", uid, p.op.name)
		c.want(c.queues[p.op.queue.name] == p.op.queue, "pod %s: its queue %s is not known", uid, p.op.queue.name)
		c.want(p.project == nil || c.projects[p.project.name] == p.project, "pod %s: its project is not known", uid)
		if byState[p.op] == nil {
			byState[p.op] = map[State]int32{}
		}
		byState[p.op][p.state]++
		c.want((p.state == Waiting) == (p.shape != nil), "pod %s is %s and its shape is %v", uid, p.state, p.shape)
		if p.shape != nil {
			key := keyOf(p)
			c.want(p.waits && p.shape.shapeKey == key && c.shapes[key] == p.shape, "pod %s is in the wrong shape", uid)
			c.waiting[p.shape]++
		}
		if p.state.Holds() {
			for _, want := range p.vec.needs {
				c.charge(p.path(), want.dim, want.amount)
			}
		}
	}
	for op := range c.operations.all {
		have := byState[op]
		c.want(have[Waiting] == op.waits && have[Suspended] == op.suspended && have[Admitted] == op.admitted && have[Running] == op.running,
			"operation %s counts %d waiting, %d suspended, %d admitted, %d running and has %v", op.name, op.waits, op.suspended, op.admitted, op.running, have)
		listed, gang, askers := int32(0), int32(0), int32(0)
		for p := op.members; p != nil; p = p.following {
			listed++
			if p.gang > gang {
				gang, askers = p.gang, 0
			}
			if p.gang > 1 && p.gang == gang {
				askers++
			}
		}
		c.want(listed == have[Waiting]+have[Suspended]+have[Admitted]+have[Running], "operation %s lists %d pods of %v", op.name, listed, have)
		c.want(gang == op.gang && (gang == 0 || askers == op.askers), "operation %s: its gang is %d, not %d", op.name, gang, op.gang)
		n := c.counts[op.queue]
		switch {
		case op.holders() > 0:
			c.want(op.queue.seated.list[op.seat] == op, "operation %s is not among the seated ones of its queue", op.name)
			c.charge(op.seatPath(), seats, 1)
			n.admitted++
			if op.running > 0 {
				n.running++
			}
		case op.waits > 0:
			n.pending++
		default:
			n.suspended++
		}
		c.counts[op.queue] = n
	}
}

func (c *checker) nodes() {
	check := func(n *limitNode) {
		for d := range max(len(n.used), len(c.used[n])) {
			want := total{}
			if d < len(c.used[n]) {
				want = c.used[n][d]
			}
			c.want(n.usage(dim(d)) == want, "%s %s: %v of %q is charged and %v is held",
				n.kind, n.name, n.usage(dim(d)), c.dims.names[d], want)
		}
	}
	for _, q := range c.queues {
		check(&q.limitNode)
	}
	for _, a := range c.agents {
		check(&a.limitNode)
	}
	for _, p := range c.projects {
		check(&p.limitNode)
	}
	for _, o := range c.organizations {
		check(&o.limitNode)
	}
	for _, w := range c.workflows {
		check(&w.limitNode)
	}
	c.chains()
}

// chains looks at what is above the nodes, and at what keeps workflows.
func (c *checker) chains() {
	for _, q := range c.queues {
		c.want(q.agent == nil && q.above == nil || q.agent != nil && q.above == &q.agent.limitNode, "queue %s: its agent is not above it", q.name)
	}
	for _, p := range c.projects {
		o := p.organization
		c.want(o == nil && p.above == nil || o != nil && p.above == &o.limitNode, "project %s: its organization is not above it", p.name)
	}
	refs, shapes := map[*workflow]int{}, map[*workflow]int{}
	for p := range c.Ledger.pods.all {
		refs[p.workflow]++
	}
	for op := range c.operations.all {
		refs[op.seatOwner.workflow]++
	}
	for _, s := range c.shapes {
		shapes[s.workflow]++
	}
	for name, w := range c.workflows {
		c.want(w.refs == refs[w], "workflow %s counts %d pods and seats, not %d", name, w.refs, refs[w])
		c.want(len(w.shapes) == shapes[w], "workflow %s knows %d shapes of %d", name, len(w.shapes), shapes[w])
		c.want(w.exists || w.refs > 0 || len(w.children) > 0, "workflow %s is kept for nothing", name)
		if w.parent == nil {
			c.want(w.above == nil, "workflow %s: something is above it that is not its parent", name)
			continue
		}
		_, listed := w.parent.children[w]
		c.want(listed && w.above == &w.parent.limitNode, "workflow %s is not below its parent %s", name, w.parent.name)
		c.want(c.workflows[w.parent.name] == w.parent, "workflow %s: its parent %s is not known", name, w.parent.name)
	}
}

func (c *checker) queuesAndLevels() {
	for _, q := range c.queues {
		if r := q.reserved; r != nil {
			c.want(r.pod.waits && r.pod.op.queue == q && r.at == r.pod.path() && r.level == q.config.Level, "queue %s: a reservation is stale", q.name)
			c.want(slices.Contains(c.reservations, r), "queue %s: its reservation is not listed", q.name)
		}
		c.want(q.counts == c.counts[q], "queue %s counts %+v operations and has %+v", q.name, q.counts, c.counts[q])
		c.want(q.exists || q.refs > 0, "queue %s is kept for nothing", q.name)
		c.elders(q)
		c.want(q.open == (q.exists && !q.config.Paused && q.agent.exists), "queue %s: open is %v", q.name, q.open)
		c.want((q.level != nil) == q.exists, "queue %s: its level is %v", q.name, q.level)
		for _, p := range q.fresh {
			c.want(!p.stale && p.key == p.keyOfNow(), "queue %s: a fresh park has an old key", q.name)
		}
		var head *shape
		for s := range q.shapes {
			if q.open && !s.never && !s.partial && (head == nil || shapeBefore(s, head)) {
				head = s
			}
		}
		if q.config.Strategy == StrictFIFO {
			c.want(q.exposed == head, "queue %s: the exposed shape is not the head's", q.name)
		}
	}
	for _, a := range c.agents {
		kept := int64(0)
		for q := range a.queues {
			_, listed := a.guaranteed[q]
			c.want(listed == (q.exists && q.config.Guaranteed > 0), "agent %s: queue %s is guaranteed seats: %v", a.name, q.name, listed)
			c.want(q.kept == max(0, q.guarantee-q.taken(seats)), "queue %s: %d seats are kept", q.name, q.kept)
			kept += q.kept
		}
		c.want(a.kept == kept, "agent %s keeps %d seats, not %d", a.name, a.kept, kept)
		for priority, v := range a.levels {
			largest, pending := int64(1), 0
			for q := range v.queues {
				c.want(q.level == v && q.config.Level == priority && q.agent == a, "queue %s is in the wrong level", q.name)
				largest = max(largest, q.bound(seats))
				pending += q.counts.pending
			}
			c.want(v.largest == largest && v.pending == pending, "agent %s, level %d: weight %d, pending %d; should be %d, %d",
				a.name, priority, v.largest, v.pending, largest, pending)
		}
	}
}

func (c *checker) elders(q *queue) {
	listed := map[*pod]bool{}
	for i, e := range q.elders {
		c.want(e.pod.remembered && !listed[e.pod], "queue %s: pod %s is twice among the elders, or does not know that it is", q.name, e.pod.uid)
		c.want(q.elders[max(i-1, 0)/2].created <= e.created, "queue %s: elder %s is out of order", q.name, e.pod.uid)
		listed[e.pod] = true
	}
	for p := range c.Ledger.pods.all {
		c.want(p.op.queue != q || !p.pending() || listed[p], "queue %s: pod %s is not among the elders", q.name, p.uid)
	}
}

func (c *checker) shapesAndGates() {
	gates := map[*gate]bool{}
	standing := 0
	for _, s := range c.shapes {
		q := s.queue
		c.want(s.pods.len() == c.waiting[s] && s.pods.len() > 0, "a shape of queue %s has %d pods of %d", q.name, s.pods.len(), c.waiting[s])
		checkRoster(c, &s.pods)
		c.want(s.never == s.neverFits(), "a shape of queue %s: never is %v", q.name, s.never)
		if s.gang != nil {
			ask := c.vecs.sum(&c.dims, s.crew)
			missing := s.gang.standing().missing
			c.want(missing > 0 && s.partial == (s.pods.len() < missing), "a gang of queue %s misses %d of %d pods: partial is %v", q.name, missing, s.pods.len(), s.partial)
			c.want(s.partial || s.ask == ask, "a gang of queue %s asks %v, not %v", q.name, s.ask.needs, ask.needs)
			c.vecs.release(&c.dims, ask)
		}
		competes := q.open && !s.never && !s.partial
		c.want(s.inLine == (competes && q.config.Strategy == StrictFIFO), "a shape of queue %s: inLine is %v", q.name, s.inLine)
		if q.config.Strategy == StrictFIFO {
			competes = competes && q.exposed == s
		}
		c.want((s.park != nil) == competes, "a shape of queue %s: competes is %v", q.name, competes)
		if s.park == nil {
			continue
		}
		standing++
		g := s.park.gate
		gates[g] = true
		c.want(q.parks[parkKey{g, s.reservation() != nil}] == s.park, "queue %s does not know a park", q.name)
		// What is held since it came here counts when it is next looked at.
		c.want(s.link.need <= g.need(s), "a shape of queue %s needs %d at its gate, not %d", q.name, g.need(s), s.link.need)
		if g.node != nil {
			c.want(s.path().has(g.node), "a shape of queue %s stands at %s %s, which is not on its path", q.name, g.node.kind, g.node.name)
			c.want(g.need(s) > 0, "a shape of queue %s stands at a gate of which it needs nothing", q.name)
		}
	}
	for g := range maps.Keys(gates) {
		checkTree(c, "parks", &g.parks)
		for p := range g.parks.all {
			for range p.shapes.all {
				standing--
			}
			checkTree(c, "shapes of a park", &p.shapes)
			list := p.queue.fresh
			if p.stale {
				list = g.stale
			}
			c.want(p.at < len(list) && list[p.at] == p, "a park of queue %s is not in its list", p.queue.name)
			c.want(p.link.need == p.low(), "a park of queue %s needs %d, not %d", p.queue.name, p.low(), p.link.need)
		}
		if !g.dirty {
			c.want((g.offer != nil) == (g.parks.low() <= g.free()), "a gate with room %d for %d offers %v", g.free(), g.parks.low(), g.offer)
		}
	}
	c.want(standing == 0, "%d more shapes stand at gates than gates know", standing)
	checkTree(c, "open gates", &c.open)
}

// checkTree compares what a tree keeps of its subtrees with what it has.
func checkTree[T any](c *checker, what string, t *tree[T]) {
	if t.root == nil {
		c.want(t.first == nil, "%s: an empty tree has a first item", what)
		return
	}
	c.want(t.root.up == nil, "%s: the root has a parent", what)
	var walk func(n *node[T])
	var last *node[T]
	walk = func(n *node[T]) {
		low := n.need
		for _, child := range []*node[T]{n.left, n.right} {
			if child != nil {
				low = min(low, child.low)
				c.want(child.up == n && child.weight >= n.weight, "%s: a node hangs wrong", what)
			}
		}
		c.want(n.low == low, "%s: a subtree needs %d, not %d", what, low, n.low)
		if n.left != nil {
			walk(n.left)
		}
		if last == nil {
			c.want(t.first == n, "%s: the first item is another", what)
		} else {
			c.want(t.less(last.item, n.item), "%s: out of order", what)
		}
		last = n
		if n.right != nil {
			walk(n.right)
		}
	}
	walk(t.root)
}

// checkRoster compares what the pages of a roster say with what is in them.
func checkRoster(c *checker, r *roster) {
	if r.root == nil {
		c.want(r.head == nil && r.first == nil && r.front == nil && r.taken == 0, "an empty roster has a first pod")
		return
	}
	c.want(r.root.up == nil && r.first == r.root.leftmost(), "a roster begins elsewhere")
	c.want(r.taken+len(r.front) == len(r.first.entries) && len(r.front) > 0 && &r.front[0] == &r.first.entries[r.taken] && r.head == r.front[0].pod,
		"the front of a roster is not the rest of its first page")
	depth := 0
	var last *entry
	var walk func(g *page, at int) int
	walk = func(g *page, at int) int {
		c.want(len(g.entries) > 0 && len(g.entries) <= pageMost, "a page has %d entries", len(g.entries))
		if g.below == nil {
			c.want(depth == 0 || depth == at, "a page is %d deep, others %d", at, depth)
			depth = at
			for i := range g.entries {
				c.want(g.entries[i] == entryOf(g.entries[i].pod), "an entry is not that of its pod")
				c.want(last == nil || last.before(&g.entries[i]), "pods are out of order")
				last = &g.entries[i]
			}
			c.want(g.size == len(g.entries), "a page of %d pods counts %d", len(g.entries), g.size)
			return g.size
		}
		c.want(len(g.below) == len(g.entries), "a page has %d entries for %d pages", len(g.entries), len(g.below))
		size := 0
		for i, child := range g.below {
			c.want(child.up == g, "a page hangs wrong")
			c.want(i == 0 || last.before(&g.entries[i]), "a page divides wrong")
			size += walk(child, at+1)
			c.want(i == 0 || !child.leftmost().entries[0].before(&g.entries[i]), "a page divides wrong")
		}
		c.want(g.size == size, "pages of %d pods count %d", size, g.size)
		return size
	}
	walk(r.root, 1)
}
