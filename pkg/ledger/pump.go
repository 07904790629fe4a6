package ledger

// Admit admits pods, each the one whose turn it is, until nothing that waits has room, or until
// there are max of them. A max of zero or less is no bound. The pods of a gang follow one another, and
// the last gang is finished even where that makes more than max.
func (l *Ledger) Admit(max int) []Admission {
	var admitted []Admission
	for _, r := range l.reservations {
		l.mark(r)
	}
	for max <= 0 || len(admitted) < max {
		s := l.next()
		if s == nil {
			break
		}
		if s.gang != nil {
			admitted = l.admitGang(s, admitted)
			continue
		}
		p := s.pods.head
		admitted = append(admitted, Admission{p.uid, s.queue.config.Level, p.priority, p.created})
		l.stopWaiting(p)
		l.hold(p, Admitted)
		l.foresee(p, s.pods.head)
	}
	return admitted
}

// next is the shape whose head is to be admitted now, or nil. The first of the open gates offers the
// first pod of the first queue: a pod at any other open gate comes after it. A shape that turns out
// to be refused elsewhere goes to the gate that refused it, which is closed to it, so each shape
// moves at most a few times for each time that room appears.
func (l *Ledger) next() *shape {
	for {
		for _, g := range l.dirty {
			l.look(g)
		}
		l.dirty = l.dirty[:0]
		if l.open.first == nil {
			return nil
		}
		s := l.open.first.item.shape
		g := l.refusal(s)
		if g == nil {
			return s
		}
		l.leave(s)
		l.stand(s, g)
	}
}

// Memory that is far away is waited for, one line after another, unless it is asked for at once. So what
// will be wanted soon is read together, and early.

// foresee reads where an admitted pod is filed, for when it ends, and the pod that goes next in its shape
// (nil: none).
func (l *Ledger) foresee(p, next *pod) {
	read := l.pods.peek(p.hash) + l.operations.peek(p.op.hash)
	if p.uid != "" {
		read += uint64(p.uid[0])
	}
	if next != nil {
		read += next.read()
	}
	l.read = read
}

// read reads all the memory of a pod.
func (p *pod) read() uint64 {
	read := p.hash + uint64(p.created) + p.own.hash
	if p.own.seatOwner.project != nil {
		read++
	}
	return read
}
