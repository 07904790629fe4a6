package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// since is how long ago a time is; nothing for none.
func (s *Shell) since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return duration.HumanDuration(max(0, s.Now().Sub(t)))
}

// clock is a time of today by the clock, of other days with the date.
func (s *Shell) clock(t time.Time) string {
	t, now := t.In(s.Zone), s.Now().In(s.Zone)
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format(time.TimeOnly)
	}
	return t.Format(time.DateTime)
}

// limit is a number that bounds, or "unlimited".
func limit(n *int32) string {
	if n == nil || *n == v1alpha1.Unlimited {
		return "unlimited"
	}
	return fmt.Sprint(*n)
}

// of is how much of a limit is used: "3/10", or "3" of none.
func of(used int32, n *int32) string {
	if n == nil || *n == v1alpha1.Unlimited {
		return fmt.Sprint(used)
	}
	return fmt.Sprintf("%d/%d", used, *n)
}

// level is a priority of queues as it is written.
func level(n *int32) string {
	if n == nil || *n == v1alpha1.Unlimited {
		return "highest"
	}
	return fmt.Sprint(*n)
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// condition is the state of a condition in a cell, red where it is False.
func condition(conditions []metav1.Condition, kind string) cell {
	c := meta.FindStatusCondition(conditions, kind)
	switch {
	case c == nil:
		return cell{}
	case c.Status == metav1.ConditionFalse:
		return cell{string(c.Status), red}
	}
	return cell{string(c.Status), plain}
}

// conditionText is a condition with its reason.
func (s *Shell) conditionText(conditions []metav1.Condition, kind string) string {
	c := meta.FindStatusCondition(conditions, kind)
	if c == nil {
		return ""
	}
	text := string(c.Status)
	if c.Status == metav1.ConditionFalse {
		text = s.paint(red, text)
	}
	if c.Message != "" {
		text += ": " + c.Message
	}
	return text
}

// resources in the order of their names.
func resources[T ~map[corev1.ResourceName]resource.Quantity](list T) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(list)) {
		q := list[name]
		parts = append(parts, fmt.Sprintf("%s %s", name, q.String()))
	}
	return strings.Join(parts, ", ")
}

// amounts are small numbers in the order of the names of what they are of.
func amounts[T ~map[corev1.ResourceName]resource.Quantity](list T) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(list)) {
		q := list[name]
		parts = append(parts, fmt.Sprintf("%s %g", name, q.AsApproximateFloat64()))
	}
	return strings.Join(parts, ", ")
}

// facts are the lines "Name: value" at the head of a description. Those without a value are left out.
type facts [][2]string

func (f *facts) add(name, value string) {
	if value != "" {
		*f = append(*f, [2]string{name, value})
	}
}

func (f facts) write(s *Shell) {
	width := 0
	for _, fact := range f {
		width = max(width, len(fact[0])+1)
	}
	for _, fact := range f {
		fmt.Fprintf(s.Out, "%-*s  %s\n", width, fact[0]+":", fact[1])
	}
}

func byName[T any, P interface {
	*T
	metav1.Object
}](items []T) {
	slices.SortFunc(items, func(a, b T) int { return cmp.Compare(P(&a).GetName(), P(&b).GetName()) })
}
