package ledger

import "math"

// Unlimited as a bound means none.
const Unlimited int64 = -1

// HighestLevel is the priority level of a queue that sets no priority: above every number.
const HighestLevel int64 = math.MaxInt64

// Kind is what a limit node stands for.
type Kind uint8

// The kinds of limit nodes, in the order in which the checks of a path are explained.
const (
	Queue Kind = iota
	Agent
	Project
	Organization
	Workflow
)

// Limits bounds a node. Seats is Unlimited or the number of operations that may hold a seat.
// A resource that is missing, or set to Unlimited, is not bounded.
type Limits struct {
	Seats     int64
	Resources map[string]int64
	// Whole is, by resource, what a bound is this cluster's share of; empty: seats. What is not named is whole.
	// Sentences say so, nothing else goes by it.
	Whole map[string]int64
	// Closed, where not empty, says why the node admits nothing for now, such as a budget that is
	// used up. What holds room keeps it.
	Closed string
}

// CostPerHour is the resource that stands for cost: millionths of the currency, per hour.
const CostPerHour = "queueyard.io/cost"

// Strategy says what a queue does behind an operation that has no room.
type Strategy uint8

// The strategies: pass over what does not fit, or wait for the head.
const (
	BestEffortFIFO Strategy = iota
	StrictFIFO
)

// Preemption says whether operations are evicted for those of a queue.
type Preemption uint8

// The kinds of preemption: of none, or of operations of lower levels at limits that are shared.
const (
	Never Preemption = iota
	LowerPriority
)

// QueueConfig is what a queue is told to do.
type QueueConfig struct {
	Agent    string
	Level    int64 // larger goes first
	Limits   Limits
	Strategy Strategy
	Paused   bool // admits none
	// Guaranteed is how many seats of the agent are kept for this queue: other queues do not take
	// them, even while it does not want them. 0 or less: none.
	Guaranteed int64
	Preemption Preemption
}

// Pod is one pod that waits or holds room.
type Pod struct {
	UID       string
	Operation string // pods of one operation in one queue share a seat
	Queue     string
	Project   string // empty: no project, no organization
	Workflow  string // the innermost one; empty: none
	Priority  int64  // inside the queue: larger goes first
	Created   int64  // then earlier goes first; then the smaller UID
	Requests  map[string]int64
	// Gang is how many pods of the operation are admitted together or not at all. 0 or 1: no gang.
	// Where the pods of an operation differ, the largest counts.
	Gang int
	// Runtime is how long the pod holds room at most, as it declares; 0: it does not. Room that is held
	// for others and not needed before does not hold it up. Pods of a gang that forms have none. Every value
	// makes shapes of its own, so its owner keeps them few. The unit is the owner's.
	Runtime int64
	// Unpreemptible says that the pod's operation is not evicted for others while the pod holds room.
	Unpreemptible bool
}

// State is where a pod stands.
type State uint8

// The states of a pod. Admitted and Running pods hold room; Suspended pods are in back-off.
const (
	Unknown State = iota
	Waiting
	Suspended
	Admitted
	Running
)

// String names the state.
func (s State) String() string {
	return [...]string{"Unknown", "Waiting", "Suspended", "Admitted", "Running"}[s]
}

// Holds says whether pods of this state hold room.
func (s State) Holds() bool { return s == Admitted || s == Running }

// String names the kind as sentences do.
func (k Kind) String() string {
	return [...]string{"queue", "agent", "project", "organization", "workflow"}[k]
}

// Admission is one decision of Admit, with what an immutable rank is made of.
type Admission struct {
	UID      string
	Level    int64
	Priority int64
	Created  int64
}
