package handover

// rules are the parts of the protocol that can be left out, to see that they are needed.
type rules struct {
	// looksBeforeMoving: the hub reads from the API server that nothing is at the former place before it names another.
	looksBeforeMoving bool
	// listsLive: an agent that starts reads from the API server what is its own, and not from a cache that may lag.
	listsLive bool
	// confirms: a copy begins only while the agent sees, since it started, that the assignment is its own.
	confirms bool
	// fences: the hub takes the Lease of an evicted agent before it gives up what the agent had, and keeps it until
	// nothing of that is left; an agent leads only with its Lease.
	fences bool
	// claims: an agent makes copies of what it has put its finalizer on, and of nothing else.
	claims bool
	// recordsFirst: the hub lets go of an assignment only after its end is in the operation.
	recordsFirst bool
}

var protocol = rules{looksBeforeMoving: true, listsLive: true, confirms: true, fences: true, claims: true, recordsFirst: true}

// step is something that may happen.
type step struct {
	name string
	to   state
}

// steps are all that may happen next.
func (r rules) steps(s state) []step {
	e := &explorer{rules: r, from: s}
	e.people()
	e.hub()
	for a := range uint8(agents) {
		e.agent(a)
		e.worker(a)
		e.faults(a)
	}
	return e.steps
}

type explorer struct {
	rules
	from  state
	steps []step
}

func (e *explorer) may(name string, change func(*state)) {
	to := e.from
	change(&to)
	if to != e.from {
		e.steps = append(e.steps, step{name, to})
	}
}

// people edit queues, stop the operation and evict agents whose cluster is down.
func (e *explorer) people() {
	s := &e.from
	if s.moves > 0 {
		e.may("the queue moves", func(s *state) { s.queue = 1 - s.queue; s.moves-- })
	}
	e.may("somebody stops it", func(s *state) { s.stop = true })
	for a := range uint8(agents) {
		if s.down[a] && s.queue != a {
			e.may("an agent is evicted", func(s *state) { s.evicted[a] = true })
		}
		if s.evicted[a] && !s.leads[a] && e.fences {
			e.may("the hub takes the lease of an evicted agent", func(s *state) { s.fenced[a] = true })
		}
		if s.evicted[a] && e.nothingOf(a) {
			e.may("an agent is opened again", func(s *state) { s.evicted[a], s.fenced[a] = false, false })
		}
	}
}

// nothingOf says that the hub has no assignment that is an agent's.
func (e *explorer) nothingOf(agent uint8) bool {
	for attempt := range uint8(attempts) {
		if e.from.objects[slotOf(agent, attempt)].agentFinalizer {
			return false
		}
	}
	return true
}

// write changes an object if it is what the writer saw, as the API server does.
func write(s *state, at slot, saw assignment, change func(*assignment)) {
	if saw.uid == 0 || s.objects[at] != saw {
		return // a conflict
	}
	change(&s.objects[at])
	tidy(s, at)
}

// tidy removes what is deleted and has no finalizer.
func tidy(s *state, at slot) {
	if o := s.objects[at]; o.deleting && !o.hubFinalizer && !o.agentFinalizer {
		s.objects[at] = assignment{}
	}
}

// hub is the operation controller. The operation's status is written under its version, so what it knows of it holds.
func (e *explorer) hub() {
	s := &e.from
	for at := range slot(slots) {
		e.may("the hub's cache hears", func(s *state) { s.hubSees[at] = s.objects[at] })
	}
	if s.phase == done {
		for at := range slot(slots) {
			e.hubLetsGo(at)
		}
		return
	}
	// What earlier attempts left is let go.
	for at := range slot(slots) {
		if at.attempt() < s.attempt || s.placed && at.attempt() == s.attempt && at.agent() != s.place {
			e.hubLetsGo(at)
		}
	}
	if !s.placed {
		e.hubPlaces()
		return
	}
	at := slotOf(s.place, s.attempt)
	saw := s.hubSees[at]
	if s.phase == running && saw.uid == 0 {
		saw = s.objects[at] // that it is gone must be true now
	}
	switch {
	case saw.uid == 0:
		switch {
		case s.phase == running:
			e.may("the hub finds a run vanished", nextAttempt)
		case s.stop:
			if s.objects[at].uid == 0 {
				e.may("the hub records that it was stopped", func(s *state) { s.phase = done })
			}
		case s.place != s.queue:
			e.hubPlaces()
		default:
			e.hubCreates(at)
		}
	case s.fenced[s.place] || s.evicted[s.place] && !e.fences:
		// The agent is gone: its finalizer goes, and the attempt counts as lost. One that is back is only drained.
		e.may("the hub gives up what an evicted agent had", func(s *state) {
			write(s, at, saw, func(o *assignment) { o.agentFinalizer, o.deleting, o.status = false, true, lost })
		})
		if saw.status == lost && !saw.agentFinalizer {
			e.may("the hub records that it was lost", nextAttempt)
		}
	case saw.status == ended:
		if !e.recordsFirst {
			e.hubLetsGo(at)
		}
		e.may("the hub records its end", func(s *state) { s.phase = done })
	case saw.status == lost:
		e.may("the hub records that it was lost", nextAttempt)
	case saw.status == returned:
		e.hubLetsGo(at)
	case s.stop:
		e.may("the hub deletes what is to stop", func(s *state) {
			write(s, at, saw, func(o *assignment) { o.deleting = true })
		})
		if saw.deleting && !saw.agentFinalizer {
			// It was never claimed: nothing can claim it any more.
			e.hubLetsGo(at)
		}
	case saw.status == began:
		e.may("the hub records that it runs", func(s *state) { s.phase = running })
	case saw.deleting && !saw.agentFinalizer:
		e.hubLetsGo(at)
	case s.place != s.queue:
		if saw.agentFinalizer {
			e.may("the hub withdraws it", func(s *state) {
				write(s, at, saw, func(o *assignment) { o.withdrawn = true })
			})
		} else {
			e.may("the hub deletes what is unclaimed", func(s *state) {
				write(s, at, saw, func(o *assignment) { o.deleting = true })
			})
		}
	}
}

func nextAttempt(s *state) {
	if s.attempt+1 < attempts {
		s.attempt, s.phase, s.placed = s.attempt+1, queued, false
	} else {
		s.phase = done
	}
}

// hubPlaces names where it is to run, before anything is made there.
func (e *explorer) hubPlaces() {
	s := &e.from
	if s.evicted[s.queue] {
		return
	}
	if s.placed && e.looksBeforeMoving && s.objects[slotOf(s.place, s.attempt)].uid != 0 {
		return
	}
	e.may("the hub names an agent", func(s *state) { s.place, s.placed = s.queue, true })
}

func (e *explorer) hubCreates(at slot) {
	if e.from.evicted[at.agent()] || e.from.born[at] == 2 {
		return
	}
	e.may("the hub creates an assignment", func(s *state) {
		if s.objects[at].uid == 0 {
			s.born[at]++
			s.objects[at] = assignment{uid: s.born[at], hubFinalizer: true}
		}
	})
}

// hubLetsGo takes the hub's finalizer off and deletes: two writes.
func (e *explorer) hubLetsGo(at slot) {
	saw := e.from.hubSees[at]
	e.may("the hub deletes an assignment", func(s *state) {
		write(s, at, saw, func(o *assignment) { o.deleting = true })
	})
	if e.from.fenced[at.agent()] && saw.agentFinalizer {
		e.may("the hub takes the finalizer of an evicted agent off", func(s *state) {
			write(s, at, saw, func(o *assignment) { o.agentFinalizer = false })
		})
	}
	if saw.deleting {
		e.may("the hub takes its finalizer off", func(s *state) {
			write(s, at, saw, func(o *assignment) { o.hubFinalizer = false })
		})
	}
}

// agent is the agent's controller in a worker that is up.
func (e *explorer) agent(a uint8) {
	s := &e.from
	if s.down[a] {
		return
	}
	if !s.leads[a] {
		if s.fenced[a] {
			return
		}
		e.may("an agent lists", func(s *state) {
			s.leads[a] = true
			for attempt := range uint8(attempts) {
				if e.listsLive {
					s.agentSees[slotOf(a, attempt)] = s.objects[slotOf(a, attempt)]
				}
			}
		})
		return
	}
	for attempt := range uint8(attempts) {
		at := slotOf(a, attempt)
		e.may("an agent's cache hears", func(s *state) { s.agentSees[at] = s.objects[at] })
		e.lead(at)
	}
}

// lead acts on what an agent sees of one assignment, and on its copy.
func (e *explorer) lead(at slot) {
	s := &e.from
	saw, copied := s.agentSees[at], s.replicas[at]
	tell := func(name string, p progress) {
		e.may(name, func(s *state) { write(s, at, saw, func(o *assignment) { o.status = p }) })
	}
	drop := func() {
		if copied.life == over {
			e.may("an agent deletes a copy", func(s *state) { s.replicas[at] = replica{} })
		} else {
			e.may("an agent stops a copy", func(s *state) { s.replicas[at].life = over })
		}
	}
	mine := saw.uid != 0 && (saw.agentFinalizer || !e.claims)
	switch {
	case copied.uid != 0 && (!mine || copied.uid != saw.uid):
		drop() // nobody at the hub knows it
	case saw.uid == 0:
	case saw.deleting:
		switch {
		case !saw.agentFinalizer:
		case copied.uid == 0:
			e.may("an agent takes its finalizer off", func(s *state) {
				write(s, at, saw, func(o *assignment) { o.agentFinalizer = false })
			})
		case copied.life == over && saw.status != ended && saw.status != lost:
			tell("an agent tells the end", ended)
		default:
			drop()
		}
	case !mine:
		if !saw.withdrawn {
			e.may("an agent claims", func(s *state) {
				write(s, at, saw, func(o *assignment) { o.agentFinalizer = true })
			})
		}
	case saw.status == returned || saw.status == lost:
	case copied.uid == 0:
		switch {
		case saw.status == ended:
		case saw.status == began:
			tell("an agent tells that it was lost", lost)
		case saw.withdrawn:
			tell("an agent returns", returned)
		default:
			e.may("an agent makes a copy", func(s *state) { s.replicas[at] = replica{uid: saw.uid} })
		}
	case copied.life == over:
		if saw.status != ended {
			tell("an agent tells the end", ended)
		}
	case copied.life == runs:
		if saw.status != began {
			tell("an agent tells that it began", began)
		}
	case saw.withdrawn:
		e.may("an agent takes back a copy", func(s *state) { s.replicas[at] = replica{} })
	}
}

// worker is the scheduler and the nodes of a worker.
func (e *explorer) worker(a uint8) {
	if e.from.down[a] {
		return
	}
	for attempt := range uint8(attempts) {
		at := slotOf(a, attempt)
		copied, saw := e.from.replicas[at], e.from.agentSees[at]
		if copied.uid == 0 {
			continue
		}
		mine := e.from.leads[a] && saw.uid == copied.uid && (saw.agentFinalizer || !e.claims) && !saw.deleting && !saw.withdrawn && saw.status != ended
		if copied.life == waits && (mine || !e.confirms) {
			e.may("a copy begins", func(s *state) { s.replicas[at].life = runs })
		}
		if copied.life == runs {
			e.may("a copy ends", func(s *state) { s.replicas[at].life = over; s.ends++ })
		}
	}
}

// forget empties the cache of an agent. What lags may show the same again.
func (e *explorer) forget(s *state, agent uint8) {
	for attempt := range uint8(attempts) {
		if e.listsLive {
			s.agentSees[slotOf(agent, attempt)] = assignment{}
		}
	}
}

// faults of a worker. That caches lag and writes conflict is in every step.
func (e *explorer) faults(a uint8) {
	s := &e.from
	ofAgent := func(do func(slot)) {
		for attempt := range uint8(attempts) {
			do(slotOf(a, attempt))
		}
	}
	if !s.down[a] && s.leads[a] && s.crashes > 0 {
		e.may("an agent dies", func(s *state) {
			s.crashes--
			s.leads[a] = false
			e.forget(s, a)
		})
	}
	if s.restores > 0 {
		e.may("a worker is backed up", func(s *state) {
			ofAgent(func(at slot) { s.backup[at] = s.replicas[at] })
		})
		e.may("a worker is set back", func(s *state) {
			s.restores--
			s.leads[a] = false
			e.forget(s, a)
			ofAgent(func(at slot) {
				s.replicas[at] = s.backup[at]
				if s.replicas[at].life == runs {
					s.replicas[at].life = waits // its pods are gone, and made again when it may begin
				}
			})
		})
	}
	if s.crashes > 0 && !s.down[a] {
		e.may("a worker goes down", func(s *state) {
			s.crashes--
			s.down[a], s.leads[a] = true, false
			e.forget(s, a)
			ofAgent(func(at slot) {
				if s.replicas[at].life == runs {
					s.replicas[at].life = over
				}
			})
		})
	}
	if s.down[a] {
		e.may("a worker comes up", func(s *state) { s.down[a] = false })
	}
}
