package tenancy

import (
	"fmt"
	"slices"
	"strings"
)

// The reasons for which an object is refused.
const (
	ReasonInvalidReference   = "InvalidReference"
	ReasonContradiction      = "Contradiction"
	ReasonUnknownQueue       = "UnknownQueue"
	ReasonWrongAgent         = "WrongAgent"
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

// didYouMean suggests the name nearest to a misspelt one, if one is near.
func didYouMean(name string, names []string) string {
	best, bestDistance := "", 1+max(1, len(name)/3)
	slices.Sort(names)
	for _, candidate := range names {
		if d := editDistance(name, candidate); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// editDistance counts the insertions, deletions and replacements between two names.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
