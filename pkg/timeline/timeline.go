// Package timeline keeps the statuses that an operation or workflow has had, bounded, and says the last
// one as conditions.
package timeline

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

const (
	// MaxEntries bounds a timeline: how it began and what was last are kept.
	MaxEntries, KeptFirst = 64, 8
	// maxMessage bounds a message of it.
	maxMessage = 2048
)

// Append adds an entry and says how many it drops from the middle. Times never run backwards.
func Append(line []v1alpha1.TimelineEntry, e v1alpha1.TimelineEntry) (appended []v1alpha1.TimelineEntry, dropped int32) {
	if n := len(line); n > 0 && e.Time.Before(&line[n-1].Time) {
		e.Time = line[n-1].Time
	}
	e.Reason, e.Message = Word(e.Reason), LastOf(e.Message, maxMessage)
	line = append(line, e)
	if over := len(line) - MaxEntries; over > 0 {
		return append(line[:KeptFirst:KeptFirst], line[KeptFirst+over:]...), int32(over)
	}
	return line, 0
}

// maxReason is how long the reason of a condition may be.
const maxReason = 1024

// Word is a reason as conditions take it. Not all that others give as one is a word: OutOfnvidia.com/gpu.
func Word(reason string) string {
	letters := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
			return r
		case r == '.' || r == '/' || r == '-' || r == ' ':
			return '_'
		}
		return -1
	}, reason)
	letters = strings.Trim(letters[:min(len(letters), maxReason)], "_")
	if letters == "" || letters[0] <= '9' {
		return strings.TrimRight("Unknown_"+letters, "_")
	}
	return letters
}

// Last is the last entry, or an empty one.
func Last(line []v1alpha1.TimelineEntry) v1alpha1.TimelineEntry {
	if len(line) == 0 {
		return v1alpha1.TimelineEntry{}
	}
	return line[len(line)-1]
}

// SetConditions says the last entry as kstatus and 'kubectl wait' understand it. What is "operation" or "workflow".
func SetConditions(conditions *[]metav1.Condition, line []v1alpha1.TimelineEntry, what string, generation int64, now time.Time) {
	entry := Last(line)
	message := entry.Message
	if message == "" {
		message = fmt.Sprintf("the %s is %s", what, entry.Status)
	}
	for _, c := range []struct {
		kind  string
		holds bool
	}{
		{v1alpha1.FinishedCondition, entry.Status.Final()},
		{v1alpha1.ReadyCondition, entry.Status == v1alpha1.StatusSucceeded},
		{v1alpha1.StalledCondition, entry.Status == v1alpha1.StatusFailed},
	} {
		state := metav1.ConditionFalse
		if c.holds {
			state = metav1.ConditionTrue
		}
		meta.SetStatusCondition(conditions, metav1.Condition{
			Type: c.kind, Status: state, Reason: entry.Reason, Message: message,
			ObservedGeneration: generation, LastTransitionTime: metav1.NewTime(now),
		})
	}
}

// LastOf is a text cut to its last bytes, which tell more of an error than the first ones.
func LastOf(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return "…" + strings.ToValidUTF8(text[len(text)-n:], "")
}
