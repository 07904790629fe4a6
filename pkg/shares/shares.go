// Package shares divides the limits of a tenant among clusters. It is pure.
//
// Every cluster goes by its own share and asks nobody, so all shares together must be within the limit at every moment,
// also while changes are on their way. A cluster has what it was last given until it says that something smaller is in
// force; only what nobody has can be given.
package shares

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// Share is amounts by dimension. As a limit, or as what somebody was given or holds, a dimension that is missing is
// unlimited, and nil is nothing at all; as demand, what is missing is nothing.
type Share map[string]int64

// Party is one cluster.
type Party struct {
	Name string
	// Published is the share that it was last given.
	Published Share
	// Held is what it last said to be in force, or used where that is more. It is at least Published, or Published is
	// Pending.
	Held Share
	// Demand is what it uses and waits for.
	Demand Share
	// Known is what it used and waited for when it was last heard of, and what it was sent. It is what an unreachable one
	// counts with where nothing bounds it.
	Known Share
	// Pending: it has not said yet that Published is in force. Nothing is changed before it has: what is in force there
	// is then one of two.
	Pending bool
	// Unreachable: it goes on with what it has for as long as nobody hears of it. It has not heard of limits that were set
	// meanwhile.
	Unreachable bool
	// Leaving: it is to have nothing, and gives back what it has when that is free.
	Leaving bool
	// Gone for good: it has nothing.
	Gone bool
}

// idlePart is which part of its even share a cluster may keep idle while others wait, so that shares do not move with
// every operation that comes or ends.
const idlePart = 32

// Divide says which share each party is to have next, in the order of the parties. What Published and Held have
// together never grows beyond the limit; what an unreachable party Keeps counts. Shares go to where the demand is, by max-min fairness; what nobody demands is
// divided evenly, so that the first operation anywhere starts without waiting. Parties that nobody needs anything of
// keep what they have.
func Divide(limit Share, parties []Party) []Share {
	next := make([]Share, len(parties))
	for i := range parties {
		switch p := &parties[i]; {
		case p.fixed():
			next[i] = maps.Clone(p.Published)
		default:
			next[i] = make(Share, len(limit))
		}
	}
	d := newDivision(parties)
	for dim, amount := range limit {
		d.divide(dim, amount, parties)
		for i := range parties {
			if !parties[i].fixed() {
				next[i][dim] = d.next[i]
			}
		}
	}
	return next
}

// fixed says whether it keeps what it was given for now.
func (p *Party) fixed() bool { return !p.Gone && (p.Pending || p.Unreachable) }

// Keeps is how much of a dimension an unreachable party has for itself: what it was given or still holds, or all that is
// known of it where it has no limit. It has none of a dimension that was limited after it was last heard of; whatever the
// others get then, it may exceed the limit by itself.
func (p *Party) Keeps(dim string) int64 {
	given, held := p.Published.of(dim), p.Held.of(dim)
	if has := max(given, held); has < unlimited {
		return has
	}
	return max(p.Known[dim], bounded(given), bounded(held))
}

// Unbounded says whether a party may use a dimension without a limit.
func (p *Party) Unbounded(dim string) bool {
	return !p.Gone && max(p.Published.of(dim), p.Held.of(dim)) == unlimited
}

// bounded is an amount, or nothing if it is unlimited.
func bounded(n int64) int64 {
	if n == unlimited {
		return 0
	}
	return n
}

const unlimited = math.MaxInt64

func (s Share) of(dim string) int64 {
	if n, limited := s[dim]; limited {
		return max(n, 0)
	}
	if s == nil {
		return 0
	}
	return unlimited
}

// division is of one dimension. It is used again for the next.
type division struct {
	published, held, demand, target, next []int64
	want, given                           []int64 // of those in order
	order                                 []int
}

func newDivision(parties []Party) *division {
	all := make([]int64, 7*len(parties))
	cut := func() []int64 {
		part := all[:len(parties):len(parties)]
		all = all[len(parties):]
		return part
	}
	return &division{cut(), cut(), cut(), cut(), cut(), cut(), cut(), make([]int, 0, len(parties))}
}

func (d *division) divide(dim string, limit int64, parties []Party) {
	limit = max(limit, 0)
	left, count := limit, int64(0)
	for i := range parties {
		p := &parties[i]
		d.published[i], d.held[i], d.demand[i] = p.Published.of(dim), p.Held.of(dim), max(p.Demand[dim], 0)
		switch {
		case p.Gone:
			d.published[i], d.held[i] = 0, 0
		case p.Unreachable:
			d.published[i] = p.Keeps(dim)
			d.held[i] = d.published[i]
			left = max(left-d.published[i], 0)
		case p.Leaving:
		default:
			count++
		}
		if d.next[i] = d.published[i]; p.Leaving && !p.fixed() {
			d.next[i] = 0
		}
	}
	if count == 0 {
		return
	}
	d.aim(left, left/(idlePart*count), parties)
	if d.over(limit) || d.lacking() > max(d.free(limit), 0) {
		for i := range parties {
			if !parties[i].fixed() {
				d.next[i] = min(d.next[i], d.target[i])
			}
		}
	}
	d.bound(limit, parties)
	d.raise(limit, parties)
}

// bound has those that had no limit begin with what the others have left of it, beside what they hold of a limit from before. Else one
// that comes back would have at once what the others got while it was not heard of.
func (d *division) bound(limit int64, parties []Party) {
	d.order = d.order[:0]
	left := limit
	for i := range parties {
		p, held := &parties[i], bounded(d.held[i])
		if p.Gone || p.Unreachable || d.published[i] < unlimited {
			left -= max(d.next[i], held)
			continue
		}
		left -= held
		if !p.Leaving {
			d.order = append(d.order, i)
			d.want[i] = max(d.target[i]-held, 0)
		}
	}
	d.pour(max(left, 0))
	for _, i := range d.order {
		if !parties[i].fixed() {
			d.next[i] = min(d.target[i], bounded(d.held[i])+d.given[i])
		}
	}
}

// aim finds what everybody should have: what he demands and a little more, as far as it goes; of what is left then,
// everybody gets the same.
func (d *division) aim(left, idle int64, parties []Party) {
	d.order = d.order[:0]
	for i := range parties {
		d.target[i] = 0
		if p := &parties[i]; !p.Gone && !p.Unreachable && !p.Leaving {
			d.order = append(d.order, i)
			d.want[i] = min(plus(d.demand[i], idle), left)
		}
	}
	left -= d.pour(left)
	for _, i := range d.order {
		d.target[i] = d.given[i]
		d.want[i] = left
	}
	d.pour(left)
	for _, i := range d.order {
		d.target[i] += d.given[i]
	}
}

// pour divides an amount among those in order, nobody more than he wants, so that the smallest get as much as possible.
// Where it cannot be divided evenly, the rest goes to those who have it already. It says how much was given.
func (d *division) pour(amount int64) (poured int64) {
	slices.SortFunc(d.order, func(a, b int) int {
		return cmp.Or(cmp.Compare(d.want[a], d.want[b]), cmp.Compare(a, b))
	})
	for at, i := range d.order {
		level := (amount - poured) / int64(len(d.order)-at)
		if d.want[i] <= level {
			d.given[i] = d.want[i]
			poured += d.given[i]
			continue
		}
		rest := d.order[at:]
		more := (amount - poured) % int64(len(rest))
		slices.SortFunc(rest, func(a, b int) int {
			return cmp.Or(cmp.Compare(d.surplus(b), d.surplus(a)), cmp.Compare(a, b))
		})
		for k, j := range rest {
			d.given[j] = level
			if int64(k) < more {
				d.given[j]++
			}
		}
		return amount
	}
	return poured
}

// surplus is how much more somebody was given than he is aimed to have so far.
func (d *division) surplus(i int) int64 { return d.published[i] - d.target[i] }

// over says whether more was given than the limit is now.
func (d *division) over(limit int64) bool {
	sum := int64(0)
	for _, n := range d.published {
		sum = plus(sum, n)
	}
	return sum > limit
}

// lacking is what those lack who demand more than they have, or who are about to: more than half of what they should
// have in reserve is used.
func (d *division) lacking() int64 {
	sum := int64(0)
	for i := range d.next {
		p, t, want := d.published[i], d.target[i], d.demand[i]
		if p < t && (t <= want || p < want || p-want < (t-want+1)/2) {
			sum = plus(sum, t-p)
		}
	}
	return sum
}

// free is what nobody has or holds.
func (d *division) free(limit int64) int64 {
	sum := int64(0)
	for i := range d.next {
		sum = plus(sum, max(d.next[i], d.held[i]))
	}
	return limit - sum
}

// raise gives what is free: first to those who demand it, then to those who should have it in reserve.
func (d *division) raise(limit int64, parties []Party) {
	for _, reserve := range []bool{false, true} {
		free := d.free(limit)
		if free < 0 {
			return
		}
		d.order = d.order[:0]
		for i := range parties {
			if p := &parties[i]; p.Gone || p.fixed() {
				continue
			}
			goal := d.target[i]
			if !reserve {
				goal = min(goal, d.demand[i])
			}
			if goal <= d.next[i] {
				continue
			}
			d.next[i] = min(goal, max(d.next[i], d.held[i])) // it has that anyway
			if d.want[i] = goal - d.next[i]; d.want[i] > 0 {
				d.order = append(d.order, i)
			}
		}
		d.pour(free)
		for _, i := range d.order {
			d.next[i] += d.given[i]
		}
	}
}

// plus adds amounts; the sum ends at the largest amount.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
