package ledger

import "hash/maphash"

// index finds pods by their UID, or operations by queue and name. Beside each it keeps the hash that it is
// filed under: who forgets one looks at no name and at nothing but its slot, while a map would wait for
// memory three times. It is in parts, each of which grows by itself.
type index[T any] struct {
	parts [256]slots[T]
}

// slots is a hash table with linear probing. Its size is a power of two.
type slots[T any] struct {
	slots []slot[T]
	taken int
}

type slot[T any] struct {
	hash uint64
	item *T // nil: free
}

func (x *index[T]) part(hash uint64) *slots[T] { return &x.parts[hash>>56] }

// find is the item of that hash which is the one meant; nil if there is none.
func (x *index[T]) find(hash uint64, meant func(*T) bool) *T {
	t := x.part(hash)
	if t.taken == 0 {
		return nil
	}
	for at := t.home(hash); t.slots[at].item != nil; at = t.after(at) {
		if s := &t.slots[at]; s.hash == hash && meant(s.item) {
			return s.item
		}
	}
	return nil
}

// peek reads where an item of that hash is filed first.
func (x *index[T]) peek(hash uint64) uint64 {
	t := x.part(hash)
	return t.slots[t.home(hash)].hash
}

func (x *index[T]) add(hash uint64, item *T) { x.part(hash).add(slot[T]{hash, item}) }

func (x *index[T]) remove(hash uint64, item *T) { x.part(hash).remove(hash, item) }

// all yields the items, in no order. None may be added or removed meanwhile.
func (x *index[T]) all(yield func(*T) bool) {
	for i := range x.parts {
		for _, s := range x.parts[i].slots {
			if s.item != nil && !yield(s.item) {
				return
			}
		}
	}
}

func (t *slots[T]) home(hash uint64) int { return int(hash) & (len(t.slots) - 1) }
func (t *slots[T]) after(at int) int     { return (at + 1) & (len(t.slots) - 1) }

func (t *slots[T]) add(s slot[T]) {
	if 4*(t.taken+1) > 3*len(t.slots) {
		old := t.slots
		t.slots = make([]slot[T], max(2*len(old), 4))
		for _, o := range old {
			if o.item != nil {
				t.put(o)
			}
		}
	}
	t.taken++
	t.put(s)
}

func (t *slots[T]) put(s slot[T]) {
	at := t.home(s.hash)
	for t.slots[at].item != nil {
		at = t.after(at)
	}
	t.slots[at] = s
}

// remove frees the slot of an item and moves those up that would not be found beyond it.
func (t *slots[T]) remove(hash uint64, item *T) {
	hole := t.home(hash)
	for t.slots[hole].item != item {
		hole = t.after(hole)
	}
	for at := t.after(hole); t.slots[at].item != nil; at = t.after(at) {
		home := t.home(t.slots[at].hash)
		if (at-home)&(len(t.slots)-1) >= (at-hole)&(len(t.slots)-1) {
			t.slots[hole] = t.slots[at]
			hole = at
		}
	}
	t.slots[hole] = slot[T]{}
	t.taken--
}

// podNamed is the pod of that UID; nil if it is not known.
func (l *Ledger) podNamed(uid string) *pod {
	return l.pods.find(l.hashOfPod(uid), func(p *pod) bool { return p.uid == uid })
}

func (l *Ledger) hashOfPod(uid string) uint64 { return maphash.String(l.hashing, uid) }

func (l *Ledger) hashOfOperation(q *queue, name string) uint64 {
	return maphash.String(l.hashing, name) ^ q.hash
}

// operationOf finds an operation by its hash, queue and name.
func (l *Ledger) operationOf(hash uint64, q *queue, name string) *operation {
	return l.operations.find(hash, func(o *operation) bool { return o.queue == q && o.name == name })
}
