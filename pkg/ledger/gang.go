package ledger

import (
	"math"
	"slices"
)

// A gang is the pods of one operation, in one project and workflow, of which so many are to hold room before any
// may run. Until one of them runs the gang is forming: the pods that are missing are admitted
// together or not at all. They wait in a shape of their own that asks for the sum of what the first
// of them ask for. Once a pod runs, those that still wait are ordinary pods of a seated operation.

// standing is what decides which shapes the waiting pods of an operation are in.
type standing struct {
	seated  bool
	missing int // pods to admit at once; 0: not a gang that is forming
}

func (o *operation) standing() standing {
	at := standing{seated: o.holders() > 0}
	if o.gang > 1 && o.running == 0 && o.holders() < o.gang {
		at.missing = int(o.gang - o.holders())
	}
	return at
}

// settle moves the waiting pods of an operation to the shapes that they belong to now.
func (l *Ledger) settle(op *operation, before standing) {
	if op.standing() == before {
		return
	}
	if r := op.queue.reserved; r != nil && r.pod.op == op {
		l.unreserve(op.queue)
	}
	for p := op.members; p != nil; p = p.following {
		if p.shape != nil {
			l.leaveShape(p)
		}
	}
	for p := op.members; p != nil; p = p.following {
		if p.waits {
			l.joinShape(p)
		}
	}
}

// join makes a pod known to its operation, whose gang is the largest that one of its pods asks for.
func (l *Ledger) join(op *operation, p *pod) {
	p.following = op.members
	if p.following != nil {
		p.following.previous = p
	}
	op.members = p
	switch {
	case p.gang <= 1 || p.gang < op.gang:
	case p.gang == op.gang:
		op.askers++
	default:
		before := op.standing()
		op.gang, op.askers = p.gang, 1
		l.settle(op, before)
	}
}

// part undoes join.
func (l *Ledger) part(op *operation, p *pod) {
	if p.previous == nil {
		op.members = p.following
	} else {
		p.previous.following = p.following
	}
	if p.following != nil {
		p.following.previous = p.previous
	}
	p.previous, p.following = nil, nil
	if p.gang <= 1 || p.gang < op.gang {
		return
	}
	if op.askers--; op.askers > 0 {
		return
	}
	before := op.standing()
	op.gang = 0
	for other := op.members; other != nil; other = other.following {
		switch {
		case other.gang <= 1 || other.gang < op.gang:
		case other.gang == op.gang:
			op.askers++
		default:
			op.gang, op.askers = other.gang, 1
		}
	}
	l.settle(op, before)
}

// crew is the pods of a gang's shape that are admitted together: as many as are missing.
func (s *shape) crew(yield func(*pod) bool) {
	left := s.gang.standing().missing
	for p := range s.pods.all {
		if left == 0 || !yield(p) {
			return
		}
		left--
	}
}

// muster finds what a gang's shape, which must be hidden, asks for after its pods changed.
func (l *Ledger) muster(s *shape) {
	old := s.ask
	reserved := s.reservation() != nil
	s.partial = s.pods.len() < s.gang.standing().missing
	if s.partial {
		s.ask = l.vecs.retain(&l.dims, nil)
	} else {
		s.ask = l.vecs.sum(&l.dims, s.crew)
	}
	if reserved && s.ask != old {
		l.unreserve(s.queue)
	}
	l.vecs.release(&l.dims, old)
	s.never = s.neverFits()
}

// admitGang admits what a gang misses, in order.
func (l *Ledger) admitGang(s *shape, admitted []Admission) []Admission {
	op, level := s.gang, s.queue.config.Level
	crew := slices.AppendSeq(make([]*pod, 0, op.gang), s.crew)
	before := op.standing()
	l.hide(s) // once, not with each of them
	if s.reservation() != nil {
		l.unreserve(s.queue)
	}
	for _, p := range crew {
		admitted = append(admitted, Admission{p.uid, level, p.priority, p.created})
		p.waits = false
		s.pods.remove(p)
		p.shape = nil
		l.setState(p, Admitted)
		l.chargeVector(p, 1)
	}
	if s.pods.head == nil {
		l.dropShape(s)
	}
	l.exposeHead(op.queue)
	if !before.seated {
		l.takeSeat(op, crew[0].owner)
	}
	l.settle(op, before)
	return admitted
}

// sum is the vector of what these pods ask for together. Sums end at the largest amount.
func (v *vectors) sum(dims *dimensions, pods func(func(*pod) bool)) *vector {
	v.needs = v.needs[:0]
	for p := range pods {
		for _, n := range p.vec.needs {
			at := slices.IndexFunc(v.needs, func(have need) bool { return have.dim == n.dim })
			switch {
			case at < 0:
				dims.refs[n.dim]++
				v.needs = append(v.needs, n)
			case v.needs[at].amount > math.MaxInt64-n.amount:
				v.needs[at].amount = math.MaxInt64
			default:
				v.needs[at].amount += n.amount
			}
		}
	}
	return v.intern(dims)
}

// Member is a pod of an operation and where it stands.
type Member struct {
	UID   string
	State State
}

// Members lists the pods of a pod's operation in order, the pod among them. Who returns a pod of an
// admitted gang returns the others that do not run too: a part of a gang must not keep room.
func (l *Ledger) Members(uid string) []Member {
	known := l.podNamed(uid)
	if known == nil {
		return nil
	}
	var members []Member
	for _, p := range known.op.inOrder() {
		members = append(members, Member{p.uid, p.state})
	}
	return members
}

// Runs says whether a pod of a pod's operation runs, itself or another.
func (l *Ledger) Runs(uid string) bool {
	p := l.podNamed(uid)
	return p != nil && p.op.running > 0
}

func (o *operation) inOrder() []*pod {
	var pods []*pod
	for p := o.members; p != nil; p = p.following {
		pods = append(pods, p)
	}
	slices.SortFunc(pods, func(a, b *pod) int {
		if podBefore(a, b) {
			return -1
		}
		return 1
	})
	return pods
}
