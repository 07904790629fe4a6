package audit

import (
	"fmt"
	"time"
)

// Rule names a promise.
type Rule string

const (
	// OverLimit: a pod was bound though that put a limit on its path above its bound.
	OverLimit Rule = "over-limit"
	// LevelOrder: a pod took the last seat of its agent while an operation of a higher level waited for it.
	LevelOrder Rule = "level-order"
	// KeptSeat: a pod took a seat of its agent that is kept for a queue that is guaranteed it.
	KeptSeat Rule = "kept-seat"
	// Stuck: an operation waits although every limit on its path, or every workflow around it, has room.
	Stuck Rule = "stuck"
	// WorkflowLimit: an operation was released though that put a workflow around it above its concurrency.
	WorkflowLimit Rule = "workflow-limit"
	// Rebound: a bound pod changed its node.
	Rebound Rule = "rebound"
	// Twice: an operation ran in two clusters at a time.
	Twice Rule = "twice"
	// Result: an operation had a result, and then another one or none.
	Result Rule = "result"
)

// Violation is one broken promise.
type Violation struct {
	Time    time.Time `json:"time"`
	Rule    Rule      `json:"rule"`
	Pod     string    `json:"pod"`
	Queue   string    `json:"queue"`
	Message string    `json:"message"`
}

// String is the violation in one line.
func (v Violation) String() string {
	return fmt.Sprintf("%s %s pod %s queue %s: %s", v.Time.Format("15:04:05.000"), v.Rule, v.Pod, v.Queue, v.Message)
}
