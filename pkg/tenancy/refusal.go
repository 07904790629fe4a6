package tenancy

import (
	"fmt"
	"strings"
)

// The reasons for which an object is refused.
const (
	ReasonInvalidReference   = "InvalidReference"
	ReasonContradiction      = "Contradiction"
	ReasonUnknownQueue       = "UnknownQueue"
	ReasonWrongAgent         = "WrongAgent"
	ReasonServedElsewhere    = "ServedElsewhere"
	ReasonQueueNotAllowed    = "QueueNotAllowed"
	ReasonQueueDraining      = "QueueDraining"
	ReasonQueueDeleting      = "QueueDeleting"
	ReasonUnknownProject     = "UnknownProject"
	ReasonProjectNotHere     = "ProjectDoesNotClaimNamespace"
	ReasonAmbiguousProject   = "AmbiguousProject"
	ReasonBoundPod           = "BoundPod"
	ReasonInvalidCost        = "InvalidCost"
	ReasonInvalidMaxRuntime  = "InvalidMaxRuntime"
	ReasonInvalidPreemptible = "InvalidPreemptible"
	ReasonInvalidPriority    = "InvalidPriority"
	ReasonNodeGiven          = "NodeGiven"
	ReasonOtherScheduler     = "OtherScheduler"
)

// Refusal says why an object may not be what it asks to be: the object, the rule and the remedy.
type Refusal struct {
	Reason  string
	Message string
}

// Error is the sentence of the refusal.
func (r *Refusal) Error() string { return r.Message }

func refuse(reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// The longest value, and the most names, that a sentence repeats.
const (
	maxQuoted = 70
	maxListed = 8
)

// quote repeats a user's value in a sentence. Annotations may be huge: they are cut.
func quote(value string) string {
	if len(value) <= maxQuoted {
		return fmt.Sprintf("%q", value)
	}
	return fmt.Sprintf("%q... (%d characters)", strings.ToValidUTF8(value[:maxQuoted], ""), len(value))
}

func list(values []string) string {
	quoted := make([]string, 0, maxListed)
	for _, v := range values[:min(len(values), maxListed)] {
		quoted = append(quoted, quote(v))
	}
	s := strings.Join(quoted, ", ")
	if more := len(values) - maxListed; more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return s
}
