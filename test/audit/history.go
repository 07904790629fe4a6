package audit

import (
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// operations is the dimension of a limit that counts operations; the others are resource names.
const operations = "operations"

// bounds are the limits in force on one object: per dimension the largest sum allowed. A dimension
// that is missing is unlimited.
type bounds map[string]resource.Quantity

// closed are the bounds of what admits nothing.
func closed() bounds {
	return bounds{operations: *resource.NewQuantity(0, resource.DecimalSI)}
}

// history keeps the bounds of one object over the recent past; the first entry holds for all the
// time before it.
type history struct {
	entries []entry
}

// newHistory starts with the bounds that hold while the object does not exist.
func newHistory(absent bounds) *history {
	return &history{entries: []entry{{bounds: absent}}}
}

type entry struct {
	from   time.Time
	bounds bounds
}

// set puts new bounds in force and forgets those that ended before the horizon.
func (h *history) set(now time.Time, b bounds, horizon time.Duration) {
	if sameBounds(h.current(), b) {
		return
	}
	h.entries = append(h.entries, entry{now, b})
	for len(h.entries) > 1 && h.entries[1].from.Before(now.Add(-horizon)) {
		h.entries = h.entries[1:]
	}
}

// current are the bounds in force now.
func (h *history) current() bounds {
	return h.entries[len(h.entries)-1].bounds
}

// allowed reports whether some bound that was in force between from and to admitted the value, and
// the largest one that did not.
func (h *history) allowed(dimension string, value resource.Quantity, from, to time.Time) (bool, resource.Quantity) {
	var largest resource.Quantity
	for i, e := range h.entries {
		if e.from.After(to) {
			break
		}
		if i+1 < len(h.entries) && h.entries[i+1].from.Before(from) {
			continue
		}
		bound, bounded := e.bounds[dimension]
		if !bounded || value.Cmp(bound) <= 0 {
			return true, bound
		}
		if bound.Cmp(largest) > 0 {
			largest = bound
		}
	}
	return false, largest
}

func sameBounds(a, b bounds) bool {
	if len(a) != len(b) {
		return false
	}
	for d, x := range a {
		y, ok := b[d]
		if !ok || x.Cmp(y) != 0 {
			return false
		}
	}
	return true
}
