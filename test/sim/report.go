package sim

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/queueyard/queueyard/pkg/ledger"
)

// Report is what a simulation measured. Times are seconds of virtual time.
type Report struct {
	Operations Operations    `json:"operations"`
	Seconds    float64       `json:"seconds"`
	PerSecond  float64       `json:"operationsPerSecond"`
	Waits      Waits         `json:"waits"`
	Levels     []LevelReport `json:"levels"`
	Queues     []QueueReport `json:"queues"`
	// Limits are of the agents, of the queues that something arrived in, and of what projects and
	// organizations bound.
	Limits []LimitReport `json:"limits"`
	// Stuck is what waits for ever.
	Stuck []Stuck `json:"stuck,omitempty"`
	// Unsimulated is fields of the plan that had no effect.
	Unsimulated []string `json:"unsimulated,omitempty"`
}

// Operations counts what became of all that arrived.
type Operations struct {
	Arrived   int64 `json:"arrived"`
	Completed int64 `json:"completed"`
	// Stuck waits still, and for ever.
	Stuck int64 `json:"stuck"`
	// Skipped jobs of a trace never ran, or are parts of others.
	Skipped int64 `json:"skipped,omitempty"`
	// Pods that were started.
	Pods int64 `json:"pods"`
}

// Waits is how long operations waited, from their arrival until their first pod was admitted.
type Waits struct {
	Count uint64  `json:"count"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

// LevelReport is the queues of an agent that have the same priority.
type LevelReport struct {
	Agent    string `json:"agent"`
	Priority string `json:"priority"`
	Queues   int    `json:"queues"`
	Waits    Waits  `json:"waits"`
	// Contended is how long two or more queues had operations waiting and seats left of their own.
	Contended float64 `json:"contendedSeconds"`
	// Fairness is Jain's index over those queues in that time: of seats held per weight. 1 is a
	// division in proportion to the weights.
	Fairness *float64 `json:"fairness,omitempty"`
}

// QueueReport is one queue.
type QueueReport struct {
	Name      string `json:"name"`
	Agent     string `json:"agent"`
	Priority  string `json:"priority"`
	Arrived   int64  `json:"arrived"`
	Completed int64  `json:"completed"`
	Waits     Waits  `json:"waits"`
}

// LimitReport is one resource of one limit.
type LimitReport struct {
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	Resource string `json:"resource"`
	// Limit is unset if there is none.
	Limit *int64 `json:"limit,omitempty"`
	Peak  int64  `json:"peak"`
	// Average over the whole time, and as a share of the limit.
	Average     float64  `json:"average"`
	Utilisation *float64 `json:"utilisation,omitempty"`
	// Backlog is how long operations waited for a seat here; the average and the share of seats
	// held in that time follow.
	Backlog            float64  `json:"backlogSeconds,omitempty"`
	BacklogAverage     float64  `json:"backlogAverage,omitempty"`
	BacklogUtilisation *float64 `json:"backlogUtilisation,omitempty"`
}

// Stuck is operations of one queue that wait for ever for the same reason.
type Stuck struct {
	Queue      string        `json:"queue"`
	Operations int64         `json:"operations"`
	Reason     ledger.Reason `json:"reason"`
	Message    string        `json:"message"`
}

func (s *Simulation) report() *Report {
	s.settleAll()
	r := &Report{
		Operations: Operations{
			Arrived:   s.arrived,
			Completed: s.completed,
			Stuck:     s.arrived - s.completed,
			Skipped:   s.skipped,
			Pods:      s.podsStarted,
		},
		Seconds:     round(s.now.Seconds()),
		Unsimulated: s.plan.Unsimulated,
	}
	if s.now > 0 {
		r.PerSecond = round(float64(s.completed) / s.now.Seconds())
	}
	all := &histogram{}
	for _, v := range s.levelsInOrder() {
		waits := &histogram{}
		for _, q := range v.queues {
			waits.merge(&q.waits)
			if q.arrived > 0 {
				r.Queues = append(r.Queues, QueueReport{
					Name: q.name, Agent: v.agent, Priority: v.name(),
					Arrived: q.arrived, Completed: q.completed, Waits: waitsOf(&q.waits),
				})
			}
		}
		if used := v.used(); used > 0 {
			r.Levels = append(r.Levels, LevelReport{
				Agent: v.agent, Priority: v.name(), Queues: used,
				Waits: waitsOf(waits), Contended: round(v.contended.Seconds()), Fairness: v.fairnessOrNil(),
			})
		}
		all.merge(waits)
	}
	r.Waits = waitsOf(all)
	r.Limits = s.limits()
	r.Stuck = s.stuck()
	return r
}

// levelsInOrder is by agent, and the highest priority first.
func (s *Simulation) levelsInOrder() []*level {
	return slices.SortedFunc(maps.Values(s.levels), func(a, b *level) int {
		return cmp.Or(cmp.Compare(a.agent, b.agent), cmp.Compare(b.priority, a.priority))
	})
}

func (v *level) name() string {
	if v.priority == ledger.HighestLevel {
		return "highest"
	}
	return strconv.FormatInt(v.priority, 10)
}

// used is how many queues something arrived in.
func (v *level) used() int {
	n := 0
	for _, q := range v.queues {
		if q.arrived > 0 {
			n++
		}
	}
	return n
}

func (v *level) fairnessOrNil() *float64 {
	index, ok := v.fairness()
	if !ok {
		return nil
	}
	index = round(index)
	return &index
}

func waitsOf(h *histogram) Waits {
	w := Waits{
		Count: h.total,
		P50:   round(h.quantile(0.50).Seconds()),
		P95:   round(h.quantile(0.95).Seconds()),
		P99:   round(h.quantile(0.99).Seconds()),
		Max:   round(h.max.Seconds()),
	}
	if h.total > 0 {
		w.Mean = round(h.sum / float64(h.total))
	}
	return w
}

func (s *Simulation) limits() []LimitReport {
	var all []LimitReport
	for _, name := range slices.Sorted(maps.Keys(s.agents)) {
		bound, used := s.seatsOf(name)
		if used {
			all = append(all, s.limitsOf(s.agents[name], bound)...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.queues)) {
		if q := s.queues[name]; q.arrived > 0 {
			all = append(all, s.limitsOf(q.node, q.uses[seats].bound)...)
		}
	}
	for _, nodes := range []map[string]*node{s.projects, s.orgs} {
		for _, name := range slices.Sorted(maps.Keys(nodes)) {
			all = append(all, s.limitsOf(nodes[name], nodes[name].uses[seats].bound)...)
		}
	}
	return all
}

// seatsOf is how many seats an agent can fill: its own, or those of its queues together if they are
// fewer; and whether anything arrived there.
func (s *Simulation) seatsOf(agent string) (bound int64, used bool) {
	sum := int64(0)
	for _, q := range s.queues {
		if q.level.agent != agent {
			continue
		}
		used = used || q.arrived > 0
		if own := q.uses[seats].bound; own < 0 || sum < 0 {
			sum = ledger.Unlimited
		} else {
			sum += own
		}
	}
	bound = s.agents[agent].uses[seats].bound
	if bound < 0 || sum >= 0 && sum < bound {
		bound = sum
	}
	return bound, used
}

// limitsOf is the seats of a limit and its other resources. Where nothing bounds them they are of
// interest for agents and queues only.
func (s *Simulation) limitsOf(n *node, bound int64) []LimitReport {
	var all []LimitReport
	for resource := range n.uses {
		u := &n.uses[resource]
		r := LimitReport{Kind: n.kind.String(), Name: n.name, Resource: s.resources.names[resource], Peak: u.peak}
		limit := u.bound
		if resource == seats {
			limit = bound
			r.Backlog = round(n.backlog.Seconds())
			if n.backlog > 0 {
				r.BacklogAverage = round(n.backlogSeats / n.backlog.Seconds())
				r.BacklogUtilisation = share(n.backlogSeats/n.backlog.Seconds(), limit)
			}
		}
		if limit < 0 && (u.peak == 0 || n.kind > ledger.Agent) {
			continue
		}
		if limit >= 0 {
			r.Limit = &limit
		}
		if s.now > 0 {
			r.Average = round(u.area / s.now.Seconds())
			r.Utilisation = share(u.area/s.now.Seconds(), limit)
		}
		all = append(all, r)
	}
	return all
}

func share(average float64, limit int64) *float64 {
	if limit <= 0 {
		return nil
	}
	s := round(average / float64(limit))
	return &s
}

// round keeps four digits after the point: more would differ between processors.
func round(x float64) float64 { return math.Round(x*1e4) / 1e4 }

// stuck says of each queue, and for each reason, what waits for ever. Operations of one class have
// the same reason; those of a queue that have another class are named by the first.
func (s *Simulation) stuck() []Stuck {
	type key struct {
		queue  *queue
		reason ledger.Reason
	}
	var all []*Stuck
	reasons := map[*class]*Stuck{}
	known := map[key]*Stuck{}
	for _, op := range s.waiting() {
		found := reasons[op.class]
		if found == nil {
			e, _ := s.ledger.Explain(op.uid)
			at := key{op.queue, e.Reason}
			if found = known[at]; found == nil {
				found = &Stuck{Queue: op.queue.name, Reason: e.Reason, Message: e.Message()}
				known[at] = found
				all = append(all, found)
			}
			reasons[op.class] = found
		}
		found.Operations++
	}
	list := make([]Stuck, len(all))
	for i, found := range all {
		list[i] = *found
	}
	return list
}
