package workflow

import (
	"slices"

	"github.com/queueyard/queueyard/pkg/search"
)

// trials is which trials of a matrix exist.
type trials struct {
	next int64   // none from here on exists
	redo []int64 // before that, they do not exist either; sorted
	over bool    // the search has no more
}

// made notes that trials exist.
func (t *trials) made(indexes []int64) {
	for _, i := range indexes {
		if i >= t.next {
			for missing := t.next; missing < i; missing++ {
				t.again(missing)
			}
			t.next = i + 1
		} else if at, found := slices.BinarySearch(t.redo, i); found {
			t.redo = slices.Delete(t.redo, at, at+1)
		}
	}
}

// again notes that a trial is to be made, though later ones exist.
func (t *trials) again(i int64) {
	if i >= t.next {
		for missing := t.next; missing < i; missing++ {
			t.again(missing)
		}
		t.next = i + 1
	}
	if at, found := slices.BinarySearch(t.redo, i); !found {
		t.redo = slices.Insert(t.redo, at, i)
	}
}

// more says whether there are trials that do not exist.
func (t *trials) more(r *run) bool {
	if len(t.redo) > 0 {
		return true
	}
	if t.over {
		return false
	}
	if total := r.plan.Total(); total >= 0 && t.next >= total {
		return false
	}
	_, ok := r.plan.Search.(search.Indexed).Trial(t.next)
	t.over = !ok
	return ok
}

// take gives the next n trials that do not exist.
func (t *trials) take(r *run, n int) []search.Trial {
	var out []search.Trial
	for len(out) < n && t.more(r) {
		index := t.next
		if len(t.redo) > 0 {
			index = t.redo[0]
		}
		trial, ok := r.plan.Search.(search.Indexed).Trial(index)
		t.made([]int64{index})
		if ok {
			out = append(out, trial)
		}
	}
	return out
}
