package handover

const (
	agents   = 2 // workers
	attempts = 2 // of the one operation
	slots    = agents * attempts
)

// slot is where the Assignment of an attempt is, if it is with an agent: its name and namespace.
type slot uint8

func slotOf(agent, attempt uint8) slot { return slot(attempt*agents + agent) }
func (s slot) agent() uint8            { return uint8(s) % agents }
func (s slot) attempt() uint8          { return uint8(s) / agents }

// progress is what an agent has written of an attempt.
type progress uint8

const (
	nothing progress = iota
	began
	ended
	returned
	lost
)

// assignment is an object at the hub. The zero value is none.
type assignment struct {
	uid                          uint8 // incarnation of its name
	hubFinalizer, agentFinalizer bool
	deleting, withdrawn          bool
	status                       progress
}

// life is how far a copy in a worker has come.
type life uint8

const (
	waits life = iota
	runs
	over
)

// replica is the Operation that a worker has for an assignment. The zero value is none.
type replica struct {
	uid  uint8 // of the assignment
	life life
}

// phase of the operation at the hub.
type phase uint8

const (
	queued phase = iota
	running
	done
)

// state of everything. Comparable, so that it is known when it comes again.
type state struct {
	// The hub's API.
	phase   phase
	attempt uint8
	place   uint8        // the agent that status.run names
	placed  bool         // it names one
	queue   uint8        // the agent that the queue names
	stop    bool         // desiredState is Stopped
	evicted [agents]bool // Agent.spec.state
	fenced  [agents]bool // the hub holds the agent's Lease
	objects [slots]assignment
	born    [slots]uint8 // incarnations that there were
	// Caches of assignments: the hub's controller's and the agents'.
	hubSees, agentSees [slots]assignment
	leads              [agents]bool // since it started, the agent has got its Lease and has listed

	// The workers.
	replicas, backup [slots]replica
	down             [agents]bool

	// What may still happen.
	moves, restores, crashes uint8

	// ends is how many copies came to their own end.
	ends uint8
}
