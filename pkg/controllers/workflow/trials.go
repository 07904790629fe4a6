package workflow

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/queueyard/queueyard/pkg/search"
	"github.com/queueyard/queueyard/pkg/workflow"
)

// trials is which trials of a matrix exist, and what a search that learns has seen of them.
type trials struct {
	next int64   // none from here on exists
	redo []int64 // before that, they do not exist either; sorted. A search that learns has only those that ended badly in an earlier attempt
	over bool    // the search has no more

	observed map[int64]search.Observation
	former   map[int64]search.Trial // of those that are to be repeated
	// asked is what the search answered when it was last asked; nil: something has changed since.
	asked    *search.Suggestions
	askedFor int
}

// made notes that trials exist.
func (t *trials) made(r *run, indexes []int64) {
	for _, i := range indexes {
		if i >= t.next {
			t.skip(r, i)
		} else if at, found := slices.BinarySearch(t.redo, i); found {
			t.redo = slices.Delete(t.redo, at, at+1)
		}
	}
}

// again notes that a trial is to be made, though later ones exist.
func (t *trials) again(r *run, i int64) {
	t.asked = nil
	delete(t.observed, i)
	if i >= t.next {
		t.skip(r, i)
	}
	if r.plan.Learns() && t.former[i].Params == nil {
		return // the search suggests it again, or another
	}
	if at, found := slices.BinarySearch(t.redo, i); !found {
		t.redo = slices.Insert(t.redo, at, i)
	}
}

// skip goes to behind an index. The indexes of searches that learn have gaps.
func (t *trials) skip(r *run, i int64) {
	for missing := t.next; missing < i && !r.plan.Learns(); missing++ {
		t.redo = append(t.redo, missing)
	}
	t.next = i + 1
}

// keep remembers what a trial of an earlier attempt was, for it is repeated.
func (t *trials) keep(r *run, s seen) {
	if !r.plan.Learns() {
		return
	}
	if t.former == nil {
		t.former = map[int64]search.Trial{}
	}
	t.former[s.index] = search.Trial{Index: s.index, Params: r.plan.TrialParams(s.params)}
	t.again(r, s.index)
}

// observe tells a search that learns of a trial.
func (t *trials) observe(r *run, s seen) {
	o := search.Observation{Trial: search.Trial{Index: s.index}, State: search.InFlight}
	switch {
	case r.iterations != nil:
		o.Params = make(map[string]json.RawMessage, len(s.params))
		for name, raw := range s.params {
			o.Params[name] = raw.Raw
		}
	case r.plan.Learns():
		o.Params = r.plan.TrialParams(s.params)
	default:
		return
	}
	switch workflow.StatusOf(s.phase) {
	case workflow.Succeeded:
		o.State = search.Failed
		if m := r.plan.Metric; m == nil {
			o.State = search.Succeeded
		} else if value, ok := number(s.outputs, m.Name); ok {
			o.State, o.Value = search.Succeeded, value
		}
	case workflow.Stopped:
		o.State = search.Stopped
	case workflow.Failed, workflow.Skipped, workflow.UpstreamFailed:
		o.State = search.Failed
	}
	t.record(o)
}

func (t *trials) record(o search.Observation) {
	if t.observed == nil {
		t.observed = map[int64]search.Observation{}
	}
	t.observed[o.Index] = o
	t.asked = nil
}

// suggest asks a search that learns for n trials.
func (t *trials) suggest(r *run, n int) search.Suggestions {
	if t.asked == nil || t.askedFor < n {
		observations := make([]search.Observation, 0, len(t.observed))
		for _, index := range slices.Sorted(maps.Keys(t.observed)) {
			observations = append(observations, t.observed[index])
		}
		s := r.plan.Search.Suggest(observations, n)
		t.asked, t.askedFor = &s, n
	}
	return *t.asked
}

// more says whether there are trials that do not exist. Idle: none is under way whose result could bring others.
func (t *trials) more(r *run, idle bool) bool {
	if !r.plan.Learns() {
		_, left := t.left(r)
		return left || r.iterations != nil && r.iterations.search.More()
	}
	if len(t.redo) > 0 {
		return true
	}
	if idle && !t.over {
		t.over = len(t.suggest(r, 1).Trials) == 0
	}
	return !t.over
}

// left is the next trial that does not exist, of a search whose trials are known by their index.
func (t *trials) left(r *run) (search.Trial, bool) {
	from := r.plan.Search.(search.Indexed)
	if r.iterations != nil {
		from = r.iterations.search
	}
	index := t.next
	if len(t.redo) > 0 {
		index = t.redo[0]
	}
	return from.Trial(index)
}

// take gives the next trials that do not exist, n at most. They count as made.
func (t *trials) take(r *run, n int) []search.Trial {
	if r.plan.Learns() {
		return t.learn(r, n)
	}
	var out []search.Trial
	for len(out) < n {
		trial, ok := t.left(r)
		if !ok {
			break
		}
		t.made(r, []int64{trial.Index})
		out = append(out, trial)
	}
	return out
}

// learn takes trials of a search that learns: first those that are repeated.
func (t *trials) learn(r *run, n int) []search.Trial {
	var out []search.Trial
	for len(t.redo) > 0 && len(out) < n {
		out = append(out, t.former[t.redo[0]])
		t.redo = t.redo[1:]
	}
	if n > len(out) && !t.over {
		s := t.suggest(r, n-len(out))
		out = append(out, s.Trials[:min(len(s.Trials), n-len(out))]...)
	}
	for _, trial := range out {
		t.record(search.Observation{Trial: trial, State: search.InFlight})
		t.made(r, []int64{trial.Index})
	}
	return out
}
