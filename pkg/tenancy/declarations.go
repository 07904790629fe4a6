package tenancy

import (
	"fmt"
	"strconv"
	"time"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// MaxRuntime is how long a pod runs at most, as its annotation says; 0: it does not say.
func MaxRuntime(annotations map[string]string) (time.Duration, error) {
	text, declared := annotations[v1alpha1.MaxRuntimeAnnotation]
	if !declared {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%s: %s is no duration: write a number with a unit, such as 90s, 20m or 2h30m", v1alpha1.MaxRuntimeAnnotation, quote(text))
	}
	if d <= 0 {
		return 0, fmt.Errorf("%s: %s is not above 0: write how long the pod runs at most, such as 20m, or remove the annotation", v1alpha1.MaxRuntimeAnnotation, quote(text))
	}
	return d, nil
}

// Preemptible says whether a pod may be evicted for a queue that preempts: unless its annotation says "false".
func Preemptible(annotations map[string]string) (bool, error) {
	switch text, declared := annotations[v1alpha1.PreemptibleAnnotation]; {
	case !declared, text == "true":
		return true, nil
	case text == "false":
		return false, nil
	default:
		return true, fmt.Errorf(`%s: %s is neither "true" nor "false": write one of them, in quotes, or remove the annotation`, v1alpha1.PreemptibleAnnotation, quote(text))
	}
}

// Priority is that of a pod inside its queue, as its annotation says.
func Priority(annotations map[string]string) (priority int32, declared bool, err error) {
	text, declared := annotations[v1alpha1.PriorityAnnotation]
	if !declared {
		return 0, false, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, true, fmt.Errorf("%s: %s is no priority: write a whole number between -2147483648 and 2147483647, or remove the annotation", v1alpha1.PriorityAnnotation, quote(text))
	}
	return int32(n), true, nil
}

// CheckPriority refuses a priority that is none.
func CheckPriority(annotations map[string]string) *Refusal {
	if _, _, err := Priority(annotations); err != nil {
		return refuse(ReasonInvalidPriority, "%v", err)
	}
	return nil
}

// CheckDeclarations refuses what a pod declares that cannot be read.
func CheckDeclarations(c Claim) *Refusal {
	if _, err := MaxRuntime(c.Annotations); err != nil {
		return refuse(ReasonInvalidMaxRuntime, "%v", err)
	}
	if _, err := Preemptible(c.Annotations); err != nil {
		return refuse(ReasonInvalidPreemptible, "%v", err)
	}
	return nil
}
