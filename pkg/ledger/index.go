package ledger

import "hash/maphash"

// operationIndex finds operations by queue and name. Beside each it keeps the hash that it is filed
// under: who forgets an operation looks at no name and at nothing but its slot, while a map would wait
// for memory three times. It is in parts, each of which grows by itself.
type operationIndex struct {
	seed  maphash.Seed
	parts [256]operationSlots
}

// operationSlots is a hash table with linear probing. Its size is a power of two.
type operationSlots struct {
	slots []operationSlot
	taken int
}

type operationSlot struct {
	hash uint64
	op   *operation // nil: free
}

func (x *operationIndex) hash(q *queue, name string) uint64 {
	return maphash.String(x.seed, name) ^ q.hash
}

func (x *operationIndex) part(hash uint64) *operationSlots { return &x.parts[hash>>56] }

// find is the operation of that queue and name; nil if there is none.
func (x *operationIndex) find(hash uint64, q *queue, name string) *operation {
	t := x.part(hash)
	if t.taken == 0 {
		return nil
	}
	for at := t.home(hash); t.slots[at].op != nil; at = t.after(at) {
		if s := &t.slots[at]; s.hash == hash && s.op.queue == q && s.op.name == name {
			return s.op
		}
	}
	return nil
}

func (x *operationIndex) add(op *operation) { x.part(op.hash).add(operationSlot{op.hash, op}) }

func (x *operationIndex) remove(op *operation) { x.part(op.hash).remove(op) }

// all yields the operations, in no order.
func (x *operationIndex) all(yield func(*operation) bool) {
	for i := range x.parts {
		for _, s := range x.parts[i].slots {
			if s.op != nil && !yield(s.op) {
				return
			}
		}
	}
}

func (t *operationSlots) home(hash uint64) int { return int(hash) & (len(t.slots) - 1) }
func (t *operationSlots) after(at int) int     { return (at + 1) & (len(t.slots) - 1) }

func (t *operationSlots) add(s operationSlot) {
	if 4*(t.taken+1) > 3*len(t.slots) {
		old := t.slots
		t.slots = make([]operationSlot, max(2*len(old), 4))
		for _, o := range old {
			if o.op != nil {
				t.put(o)
			}
		}
	}
	t.taken++
	t.put(s)
}

func (t *operationSlots) put(s operationSlot) {
	at := t.home(s.hash)
	for t.slots[at].op != nil {
		at = t.after(at)
	}
	t.slots[at] = s
}

// remove frees the slot of an operation and moves those up that would not be found beyond it.
func (t *operationSlots) remove(op *operation) {
	hole := t.home(op.hash)
	for t.slots[hole].op != op {
		hole = t.after(hole)
	}
	for at := t.after(hole); t.slots[at].op != nil; at = t.after(at) {
		home := t.home(t.slots[at].hash)
		if (at-home)&(len(t.slots)-1) >= (at-hole)&(len(t.slots)-1) {
			t.slots[hole] = t.slots[at]
			hole = at
		}
	}
	t.slots[hole] = operationSlot{}
	t.taken--
}
