package ledger

import (
	"cmp"
	"maps"
	"math"
	"math/big"
	"slices"
)

// kept is how many seats of its agent are kept for a queue.
func (m *model) kept(queue string) int64 {
	return max(0, m.guaranteed(queue)-m.seatsOf(modelNode{Queue, queue}))
}

// guaranteed is how many seats of its agent a queue is guaranteed.
func (m *model) guaranteed(queue string) int64 {
	agent := m.queues[queue].Agent
	var names []string
	for name, q := range m.queues {
		if q.exists && q.Agent == agent {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(m.queues[b].Level, m.queues[a].Level), cmp.Compare(a, b))
	})
	left := max(m.limits(modelNode{Agent, agent}).Seats, 0)
	for _, name := range names {
		q := m.queues[name]
		guaranteed := min(max(q.Guaranteed, 0), left)
		if q.Limits.Seats >= 0 {
			guaranteed = min(guaranteed, q.Limits.Seats)
		}
		left -= guaranteed
		if name == queue {
			return guaranteed
		}
	}
	return 0
}

func (m *model) keptForOthers(queue string) int64 {
	sum := int64(0)
	for name, q := range m.queues {
		if name != queue && q.linked && q.Agent == m.queues[queue].Agent {
			sum += m.kept(name)
		}
	}
	return sum
}

// modelReservation is what a reservation stands on; it ends when any of that changes.
type modelReservation struct {
	pod      *modelPod
	level    int64
	standing modelStanding
	asks     map[string]int64
	marks    map[modelMark]bool
	within   int64
}

type modelStanding struct {
	seated  bool
	missing int
}

type modelMark struct {
	modelNode
	resource string // empty: seats
}

func (m *model) standing(op modelOperation) modelStanding {
	gang, holders, running := 0, 0, 0
	for _, p := range m.pods {
		if p.op() == op {
			gang = max(gang, p.Gang)
			if p.state.Holds() {
				holders++
			}
			if p.state == Running {
				running++
			}
		}
	}
	at := modelStanding{seated: holders > 0}
	if gang > 1 && running == 0 && holders < gang {
		at.missing = gang - holders
	}
	return at
}

// wants is what is asked for at once, nothing while that is not known.
func (m *model) wants(p *modelPod) map[string]int64 {
	if _, complete := m.crew(p); !complete {
		return map[string]int64{}
	}
	wants := maps.Clone(m.asks(p))
	maps.DeleteFunc(wants, func(_ string, amount int64) bool { return amount <= 0 })
	return wants
}

func (m *model) reserve(uid string, within int64) bool {
	p := m.pods[uid]
	if p == nil || p.state != Waiting || !m.competes(p) {
		return false
	}
	if r := m.reservationOf(p.Queue); r != nil {
		if r.pod == p {
			r.within = within
		}
		return r.pod == p
	}
	r := &modelReservation{p, m.queues[p.Queue].Level, m.standing(p.op()), maps.Clone(m.wants(p)), map[modelMark]bool{}, within}
	m.reservations = append(m.reservations, r)
	slices.SortStableFunc(m.reservations, func(a, b *modelReservation) int { return cmp.Compare(b.level, a.level) })
	m.mark(r)
	return true
}

func (m *model) unreserve(ends func(*modelReservation) bool) {
	m.reservations = slices.DeleteFunc(m.reservations, ends)
}

func (m *model) unreservePod(uid string) {
	m.unreserve(func(r *modelReservation) bool { return r.pod.UID == uid })
}

func (m *model) unreserveQueue(queue string) {
	m.unreserve(func(r *modelReservation) bool { return r.pod.Queue == queue })
}

// review ends the reservations whose pods do not wait any more, or not for the same.
func (m *model) review() {
	m.unreserve(func(r *modelReservation) bool {
		p := r.pod
		return m.pods[p.UID] != p || p.state != Waiting || m.standing(p.op()) != r.standing || !maps.Equal(m.wants(p), r.asks)
	})
}

func (m *model) reservationOf(queue string) *modelReservation {
	for _, r := range m.reservations {
		if r.pod.Queue == queue {
			return r
		}
	}
	return nil
}

// competes says whether a waiting pod could be admitted if there were room.
func (m *model) competes(p *modelPod) bool {
	if _, complete := m.crew(p); !complete || !m.opens(p.Queue) || m.neverFits(p) {
		return false
	}
	return m.queues[p.Queue].Strategy != StrictFIFO || m.heads(p)
}

func (m *model) mark(r *modelReservation) {
	if !m.competes(r.pod) {
		return
	}
	for _, n := range m.pathOf(r.pod) {
		for _, resource := range m.lacking(r.pod, n) {
			r.marks[modelMark{n, resource}] = true
		}
	}
}

// lacking is the dimensions of a node that have no room for a pod.
func (m *model) lacking(p *modelPod, n modelNode) []string {
	var lacking []string
	limits := m.limits(n)
	kept := int64(0)
	if n.kind == Agent {
		kept = m.keptForOthers(p.Queue)
	}
	if !m.seated(p) && limits.Seats >= 0 && m.seatsOf(n)+kept+plus(1, m.held(n, "", p)) > limits.Seats {
		lacking = append(lacking, "")
	}
	for resource, want := range m.asks(p) {
		bound, ok := limits.Resources[resource]
		if !ok || bound < 0 || want <= 0 {
			continue
		}
		sum := m.usageOf(n, resource)
		if !sum.IsInt64() {
			sum = big.NewInt(math.MaxInt64)
		}
		if sum.Add(sum, big.NewInt(plus(want, m.held(n, resource, p)))).Cmp(big.NewInt(bound)) > 0 {
			lacking = append(lacking, resource)
		}
	}
	return lacking
}

// held is how much of a node is held against a pod.
func (m *model) held(n modelNode, resource string, p *modelPod) int64 {
	crew, _ := m.crew(p)
	if p.state != Waiting {
		return 0
	}
	level := int64(0)
	if q := m.queues[p.Queue]; q != nil && q.exists {
		level = q.Level
	}
	sum := int64(0)
	for _, r := range m.reservations {
		own := r.pod == p || crew != nil && r.pod.op() == p.op() && r.pod.owner() == p.owner()
		if own || r.level < level {
			break
		}
		through := crew == nil && p.Runtime > 0 && p.Runtime <= r.within
		if through || !r.marks[modelMark{n, resource}] || !m.competes(r.pod) {
			continue
		}
		switch {
		case resource != "":
			sum = plus(sum, r.asks[resource])
		case !r.standing.seated:
			sum = plus(sum, 1)
		}
	}
	return sum
}

func (m *model) offersReserved(queue string) bool {
	r := m.reservationOf(queue)
	return r != nil && m.candidate(queue) == r.pod
}
