package ledger

import "math"

// pod is one known pod.
type pod struct {
	uid  string
	hash uint64
	op   *operation
	owner
	vec      *vector
	shape    *shape // while it waits
	priority int64
	created  int64
	runtime  int64
	gang     int32
	state    State
	// Is not to be evicted for others.
	unpreemptible bool
	waits         bool // is in the line
	remembered    bool // among the elders of its queue
	// The other pods of its operation.
	previous, following *pod
	reason              string    // while suspended
	own                 operation // the one that began with this pod
}

func podBefore(a, b *pod) bool {
	switch {
	case a.priority != b.priority:
		return a.priority > b.priority
	case a.created != b.created:
		return a.created < b.created
	}
	return a.uid < b.uid
}

// operation is the pods of one operation in one queue: together they take one seat.
type operation struct {
	operationKey
	hash                                uint64
	members                             *pod // a list
	waits, suspended, admitted, running int32
	gang                                int32 // the largest that a pod asks for
	askers                              int32 // how many pods ask for that
	// While it has a seat, its place among those that do, and who is charged for it.
	seat      int32
	seatOwner owner
}

type operationKey struct {
	queue *queue
	name  string
}

// holders is how many of its pods hold room. While there are any, it has a seat.
func (o *operation) holders() int32 { return o.admitted + o.running }

func (o *operation) count(s State) *int32 {
	switch s {
	case Waiting:
		return &o.waits
	case Suspended:
		return &o.suspended
	case Admitted:
		return &o.admitted
	}
	return &o.running
}

// Enter makes a pod wait. One that waits already is updated: it moves when anything about it
// changed, and only then is its suspension over. One that holds room is left as it is.
func (l *Ledger) Enter(given Pod) {
	p := l.podNamed(given.UID)
	switch {
	case p == nil:
		l.add(given, Waiting)
	case p.state.Holds():
	case !l.matches(p, &given) || p.priority != given.Priority || p.created != given.Created || p.gang != given.gang() || p.runtime != given.runtime() || p.unpreemptible != given.Unpreemptible:
		l.replace(p, given, Waiting)
	}
}

// Charge makes a pod hold room, whatever the limits say: it is on a node.
func (l *Ledger) Charge(given Pod) {
	p := l.podNamed(given.UID)
	switch {
	case p == nil:
		l.add(given, Running)
	case !p.state.Holds() || !l.matches(p, &given):
		l.replace(p, given, Running)
	default:
		p.unpreemptible = given.Unpreemptible
		if p.state == Admitted {
			before := p.op.standing()
			l.setState(p, Running)
			l.settle(p.op, before)
		}
	}
}

// Return takes the room of an admitted pod that does not run back. It waits again, where it waited.
func (l *Ledger) Return(uid string) {
	if p := l.podNamed(uid); p != nil && p.state == Admitted {
		l.release(p, Waiting)
		l.wait(p)
	}
}

// Suspend takes a pod out of the line, and its room back if it holds some and does not run yet, until
// it is resumed. Until then it blocks nobody.
func (l *Ledger) Suspend(uid, reason string) {
	p := l.podNamed(uid)
	if p == nil {
		return
	}
	switch p.state {
	case Running:
		return
	case Waiting:
		l.stopWaiting(p)
		l.setState(p, Suspended)
	case Admitted:
		l.release(p, Suspended)
	}
	p.reason = reason
}

// Resume lets a suspended pod wait again.
func (l *Ledger) Resume(uid string) {
	if p := l.podNamed(uid); p != nil && p.state == Suspended {
		p.reason = ""
		l.setState(p, Waiting)
		l.wait(p)
	}
}

// Remove forgets a pod and frees what it held.
func (l *Ledger) Remove(uid string) {
	if p := l.podNamed(uid); p != nil {
		l.forget(p)
	}
}

// State says where a pod stands.
func (l *Ledger) State(uid string) State {
	if p := l.podNamed(uid); p != nil {
		return p.state
	}
	return Unknown
}

// All yields every known pod, in no order.
func (l *Ledger) All(yield func(uid string, s State) bool) {
	for p := range l.pods.all {
		if !yield(p.uid, p.state) {
			return
		}
	}
}

func (given *Pod) operation() string {
	if given.Operation == "" {
		return given.UID
	}
	return given.Operation
}

// gang is the size of the gang; 0: none.
func (given *Pod) gang() int32 {
	if given.Gang <= 1 {
		return 0
	}
	return int32(min(given.Gang, math.MaxInt32))
}

func (given *Pod) runtime() int64 { return max(given.Runtime, 0) }

// is says whether it is the owner of that project and workflow.
func (o owner) is(project, workflow string) bool {
	return (o.project == nil && project == "" || o.project != nil && o.project.name == project) &&
		(o.workflow == nil && workflow == "" || o.workflow != nil && o.workflow.name == workflow)
}

// matches says whether the pod is charged, or would be, for what is given.
func (l *Ledger) matches(p *pod, given *Pod) bool {
	if p.op.queue.name != given.Queue || p.op.name != given.operation() || !p.owner.is(given.Project, given.Workflow) {
		return false
	}
	vec := l.vecs.retain(&l.dims, given.Requests)
	l.vecs.release(&l.dims, vec)
	return vec == p.vec
}

// replace forgets a pod and adds it as given. What it leaves is kept until it is added: a deleted one
// that it still names must not lose its agent, organization or parent on the way.
func (l *Ledger) replace(p *pod, given Pod, s State) {
	q, owner := p.op.queue, p.owner
	q.refs++
	owner.retain()
	l.forget(p)
	l.add(given, s)
	q.refs--
	l.dropQueue(q)
	l.releaseOwner(owner)
}

func (l *Ledger) add(given Pod, s State) {
	q := l.queueNamed(given.Queue)
	q.refs++
	p := &pod{
		uid:      given.UID,
		hash:     l.hashOfPod(given.UID),
		owner:    l.retainOwner(given.Project, given.Workflow),
		vec:      l.vecs.retain(&l.dims, given.Requests),
		priority: given.Priority,
		created:  given.Created,
		gang:     given.gang(),
		runtime:  given.runtime(),

		unpreemptible: given.Unpreemptible,
	}
	l.pods.add(p.hash, p)
	p.op = l.operationNamed(p, q, given.operation())
	l.join(p.op, p)
	if s.Holds() {
		l.hold(p, s)
	} else {
		l.setState(p, s)
		l.wait(p)
	}
}

// operationNamed is the operation that a pod belongs to. One that is not there yet is kept in the pod's
// own memory: most have no other pod, and what is looked at together lies together.
func (l *Ledger) operationNamed(p *pod, q *queue, name string) *operation {
	hash := l.hashOfOperation(q, name)
	op := l.operationOf(hash, q, name)
	if op == nil {
		op = &p.own
		op.operationKey, op.hash = operationKey{q, name}, hash
		l.operations.add(hash, op)
	}
	return op
}

func (l *Ledger) forget(p *pod) {
	op := p.op
	switch p.state {
	case Waiting:
		l.stopWaiting(p)
		l.setState(p, Unknown)
	case Suspended:
		l.setState(p, Unknown)
	default:
		l.release(p, Unknown)
	}
	l.part(op, p)
	l.pods.remove(p.hash, p)
	l.vecs.release(&l.dims, p.vec)
	l.releaseOwner(p.owner)
	if op.waits+op.suspended+op.holders() == 0 {
		l.operations.remove(op.hash, op)
	}
	op.queue.refs--
	l.dropQueue(op.queue)
}

// wait puts a pod of state Waiting into the line.
func (l *Ledger) wait(p *pod) {
	p.waits = true
	l.joinShape(p)
}

// stopWaiting takes it out.
func (l *Ledger) stopWaiting(p *pod) {
	p.waits = false
	l.leaveShape(p)
}

// hold charges a pod that is not in the line, and a seat for its operation if it has none.
func (l *Ledger) hold(p *pod, s State) {
	op := p.op
	before := op.standing()
	l.setState(p, s)
	l.chargeVector(p, 1)
	if !before.seated {
		l.takeSeat(op, p.owner)
	}
	l.settle(op, before)
}

// takeSeat charges the seat of an operation.
func (l *Ledger) takeSeat(op *operation, to owner) {
	op.seatOwner = to
	to.retain()
	l.chargeSeat(op, 1)
}

// release undoes hold.
func (l *Ledger) release(p *pod, s State) {
	op := p.op
	before := op.standing()
	l.setState(p, s)
	l.chargeVector(p, -1)
	if op.holders() == 0 {
		l.chargeSeat(op, -1)
		l.releaseOwner(op.seatOwner)
		op.seatOwner = owner{}
		op.rememberAll()
	}
	l.settle(op, before)
}

func (l *Ledger) chargeVector(p *pod, sign int64) {
	if len(p.vec.needs) == 0 {
		return
	}
	for n := range p.path().nodes {
		for _, want := range p.vec.needs {
			l.charge(n, want.dim, sign*want.amount)
		}
	}
}

// chargeSeat takes or frees an operation's seat.
func (l *Ledger) chargeSeat(op *operation, sign int64) {
	for n := range op.seatPath().nodes {
		l.charge(n, seats, sign)
	}
	l.noteProject(op.seatOwner.project)
	if sign > 0 {
		op.queue.seated.add(op)
	} else {
		op.queue.seated.remove(op)
	}
	l.rekey(op.queue)
	l.keep(op.queue)
}

// setState moves a pod between the counts of its operation, and the operation between those of its
// queue.
func (l *Ledger) setState(p *pod, s State) {
	op := p.op
	l.tally(op, -1)
	if p.state != Unknown {
		*op.count(p.state)--
	}
	p.state = s
	if s != Unknown {
		*op.count(s)++
	}
	if p.pending() {
		op.queue.remember(p)
	}
	l.tally(op, 1)
	l.note(op.queue)
	l.noteProject(p.owner.project)
}

func (l *Ledger) tally(op *operation, sign int) {
	q := op.queue
	switch {
	case op.holders() > 0:
		q.counts.admitted += sign
		if op.running > 0 {
			q.counts.running += sign
		}
	case op.waits > 0:
		q.counts.pending += sign
		if q.level != nil {
			q.level.pending += sign
		}
	case op.suspended > 0:
		q.counts.suspended += sign
	}
}
