// Package ledger keeps who holds what and decides who goes next.
//
// It is pure: no clients, no clock, no goroutines, and the same calls in the same order give the
// same answers. It is not safe for concurrent use; its owner serialises the calls.
package ledger

import "hash/maphash"

// Ledger keeps who holds what and who waits. New makes one.
type Ledger struct {
	dims dimensions
	vecs vectors

	queues        map[string]*queue
	agents        map[string]*agent
	projects      map[string]*project
	organizations map[string]*organization
	workflows     map[string]*workflow

	pods       index[pod]
	operations index[operation]
	hashing    maphash.Seed
	shapes     map[shapeKey]*shape

	ungated *gate       // where shapes stand that nothing is known to refuse
	dirty   []*gate     // to look at before the next decision
	open    tree[*gate] // those that offer something, the best offer first

	reservations []*reservation // in the order in which they have their room

	changedQueues []*queue
	changedAgents []*agent

	changedProjects      map[*project]struct{}
	changedOrganizations map[*organization]struct{}

	seed uint32
	read uint64 // by foresee, which would otherwise be left out as useless
}

// New returns an empty ledger.
func New() *Ledger {
	l := &Ledger{
		dims:          newDimensions(),
		vecs:          vectors{byKey: map[string]*vector{}},
		queues:        map[string]*queue{},
		agents:        map[string]*agent{},
		projects:      map[string]*project{},
		organizations: map[string]*organization{},
		workflows:     map[string]*workflow{},
		hashing:       maphash.MakeSeed(),

		changedProjects:      map[*project]struct{}{},
		changedOrganizations: map[*organization]struct{}{},

		shapes: map[shapeKey]*shape{},
		open:   tree[*gate]{less: gateBefore},
		seed:   1,
	}
	l.ungated = l.newGate(nil, seats)
	return l
}

// random balances the trees. It decides nothing, so it may always start the same.
func (l *Ledger) random() uint32 {
	l.seed ^= l.seed << 13
	l.seed ^= l.seed >> 17
	l.seed ^= l.seed << 5
	return l.seed
}
