package search

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
)

// MaxRequest is how many bytes of JSON a request has at most: it is to fit into one environment variable, and Linux
// takes none beyond 128 KiB.
const MaxRequest = 96 << 10

// Request is what the operation of an iterative search is told, as JSON.
type Request struct {
	// Iteration from 0.
	Iteration     int64            `json:"iteration"`
	MaxIterations int64            `json:"maxIterations"`
	Seed          int64            `json:"seed"`
	Params        map[string]Param `json:"params,omitempty"`
	Metric        *Metric          `json:"metric,omitempty"`
	// Observations are all trials so far, by index, but for those that are omitted.
	Observations []Reported `json:"observations"`
	// Omitted is how many trials there is no room for.
	Omitted int64 `json:"omitted,omitempty"`
}

// Reported is a trial that ended.
type Reported struct {
	Trial
	State State `json:"state"`
	// Value of the metric, if it has one.
	Value *float64 `json:"value,omitempty"`
}

// Due is what the operation is to be asked now: once all trials that it suggested have ended, unless it was
// asked often enough.
func (s *Iterations) Due(observations []Observation) (Request, bool) {
	if !s.More() {
		return Request{}, false
	}
	r := Request{Iteration: s.answers, MaxIterations: s.spec.MaxIterations, Seed: s.seed, Params: s.spec.Params, Metric: s.spec.Metric, Observations: []Reported{}}
	ended := make([]bool, s.total)
	for _, o := range observations {
		if o.Index < 0 || o.Index >= s.total || ended[o.Index] {
			continue // of an answer that was lost: it is asked for as it was then
		}
		if o.State == InFlight {
			return Request{}, false
		}
		ended[o.Index] = true
		told := Reported{Trial: o.Trial, State: o.State}
		if s.spec.Metric != nil && hasResult(o) {
			value := o.Value
			told.Value = &value
		}
		r.Observations = append(r.Observations, told)
	}
	if slices.Contains(ended, false) {
		return Request{}, false
	}
	slices.SortFunc(r.Observations, func(a, b Reported) int { return cmp.Compare(a.Index, b.Index) })
	return r.fit(MaxRequest), true
}

// fit leaves out observations until the request has at most so many bytes. The best are kept in half of the room, and
// the latest of the others in the rest.
func (r Request) fit(most int) Request {
	if jsonSize(r) <= most {
		return r
	}
	bare := r
	bare.Observations, bare.Omitted = []Reported{}, math.MaxInt64
	room := most - jsonSize(bare)
	all := r.Observations
	kept := make([]bool, len(all))
	take := func(order []int, room int) (left int) {
		for _, i := range order {
			size := jsonSize(all[i]) + len(",")
			if size > room {
				break
			}
			if !kept[i] {
				kept[i] = true
				room -= size
			}
		}
		return room
	}
	latest := make([]int, len(all))
	for i := range latest {
		latest[i] = len(all) - 1 - i
	}
	var best []int
	for i, o := range all {
		if o.Value != nil && r.Metric != nil {
			best = append(best, i)
		}
	}
	slices.SortFunc(best, func(a, b int) int {
		less := cmp.Compare(*all[a].Value, *all[b].Value)
		if r.Metric.Optimization == Maximize {
			less = -less
		}
		return cmp.Or(less, cmp.Compare(a, b))
	})
	half := room / 2
	take(latest, room-half+take(best, half))
	r.Observations = []Reported{}
	for i, o := range all {
		if kept[i] {
			r.Observations = append(r.Observations, o)
		}
	}
	r.Omitted = int64(len(all) - len(r.Observations))
	return r
}

// jsonSize is how many bytes something has as JSON.
func jsonSize(v any) int {
	raw, err := json.Marshal(v)
	if err != nil {
		return math.MaxInt32 // cannot be: it was read from JSON
	}
	return len(raw)
}
