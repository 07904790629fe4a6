package sim

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/queueyard/queueyard/pkg/ledger"
)

// resources numbers what is counted; seats are number 0.
type resources struct {
	names   []string
	numbers map[string]int
}

const (
	seats     = 0
	seatsName = "seats"
)

func newResources() resources {
	return resources{names: []string{seatsName}, numbers: map[string]int{}}
}

func (r *resources) number(name string) int {
	n, ok := r.numbers[name]
	if !ok {
		n = len(r.names)
		r.names = append(r.names, name)
		r.numbers[name] = n
	}
	return n
}

// amount is so much of a resource.
type amount struct {
	resource int
	n        int64
}

// node is one limit and the simulation's own count of what it holds.
type node struct {
	kind    ledger.Kind
	name    string
	uses    []use // by resource
	since   time.Duration
	pending int64 // operations that wait for a seat and will get one

	backlog      time.Duration // how long operations waited
	backlogSeats float64       // seat-seconds held in that time
}

// use is what is held of one resource.
type use struct {
	bound, held, peak int64
	area              float64 // held over time, in seconds
}

func (w *world) newNode(kind ledger.Kind, name string, limits ledger.Limits) *node {
	n := &node{kind: kind, name: name}
	n.use(seats).bound = limits.Seats
	for _, resource := range slices.Sorted(maps.Keys(limits.Resources)) {
		n.use(w.resources.number(resource)).bound = limits.Resources[resource]
	}
	return n
}

func (n *node) use(resource int) *use {
	for resource >= len(n.uses) {
		n.uses = append(n.uses, use{bound: ledger.Unlimited})
	}
	return &n.uses[resource]
}

// settle adds up the time since the last change; call it before each.
func (n *node) settle(now time.Duration) {
	passed := now - n.since
	if passed == 0 {
		return
	}
	n.since = now
	for i := range n.uses {
		n.uses[i].area += float64(n.uses[i].held) * passed.Seconds()
	}
	if n.pending > 0 {
		n.backlog += passed
		n.backlogSeats += float64(n.uses[seats].held) * passed.Seconds()
	}
}

// take holds an amount, and complains when that is more than the limit.
func (n *node) take(a amount) error {
	u := n.use(a.resource)
	if u.held > math.MaxInt64-a.n {
		return fmt.Errorf("%s %s would hold more than %d: ask for less, or limit it", n.kind, n.name, math.MaxInt64)
	}
	u.held += a.n
	u.peak = max(u.peak, u.held)
	if u.bound >= 0 && u.held > u.bound {
		return fmt.Errorf("%s %s holds %d of %d: the ledger admitted above a limit", n.kind, n.name, u.held, u.bound)
	}
	return nil
}

func (n *node) give(a amount) { n.uses[a.resource].held -= a.n }
