package ledger

// tree is a treap: a sorted set with the smallest need of every subtree, so that it answers "the first
// in order" and "the first in order that needs at most so much" in logarithmic time. Its nodes live inside the items they sort; while an item is in a
// tree, what it is compared by must not change.
type tree[T any] struct {
	root  *node[T]
	first *node[T] // in order; kept at hand because it is asked for all the time
	less  func(a, b T) bool
}

// node is an item's place in a tree. item, need and weight are set by the owner before insertion.
type node[T any] struct {
	item            T
	left, right, up *node[T]
	need, low       int64  // this item's need, and the smallest in its subtree
	weight          uint32 // random; smaller is nearer to the root
}

func (n *node[T]) pull() {
	n.low = n.need
	if l := n.left; l != nil {
		n.low = min(n.low, l.low)
	}
	if r := n.right; r != nil {
		n.low = min(n.low, r.low)
	}
}

// low is the smallest need in the tree, which must not be empty.
func (t *tree[T]) low() int64 { return t.root.low }

func (t *tree[T]) insert(n *node[T]) {
	n.left, n.right, n.up = nil, nil, nil
	n.low = n.need
	if t.root == nil {
		t.root, t.first = n, n
		return
	}
	leftmost := true
	for at := t.root; ; {
		at.low = min(at.low, n.need)
		next := &at.right
		if t.less(n.item, at.item) {
			next = &at.left
		} else {
			leftmost = false
		}
		if *next == nil {
			*next, n.up = n, at
			break
		}
		at = *next
	}
	if leftmost {
		t.first = n
	}
	for n.up != nil && n.weight < n.up.weight {
		t.raise(n)
	}
}

// raise rotates n above its parent.
func (t *tree[T]) raise(n *node[T]) {
	p := n.up
	if p.left == n {
		p.left = n.right
		if n.right != nil {
			n.right.up = p
		}
		n.right = p
	} else {
		p.right = n.left
		if n.left != nil {
			n.left.up = p
		}
		n.left = p
	}
	t.replace(p, n)
	p.up = n
	p.pull()
	n.pull()
}

// replace hangs n where old hangs. n may be nil.
func (t *tree[T]) replace(old, n *node[T]) {
	up := old.up
	switch {
	case up == nil:
		t.root = n
	case up.left == old:
		up.left = n
	default:
		up.right = n
	}
	if n != nil {
		n.up = up
	}
}

func (t *tree[T]) remove(n *node[T]) {
	if t.first == n {
		t.first = n.next()
	}
	t.replace(n, merge(n.left, n.right))
	for at := n.up; at != nil; at = at.up {
		if at.low == n.need && at.need != at.low {
			at.pull() // only here, because looking at the children costs cache misses
		}
	}
	n.left, n.right, n.up = nil, nil, nil
}

// merge joins two trees of which all of a comes before all of b.
func merge[T any](a, b *node[T]) *node[T] {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.weight < b.weight:
		a.right = merge(a.right, b)
		a.right.up = a
		a.pull()
		return a
	default:
		b.left = merge(a, b.left)
		b.left.up = b
		b.pull()
		return b
	}
}

// next is the node after n in order.
func (n *node[T]) next() *node[T] {
	if n.right != nil {
		n = n.right
		for n.left != nil {
			n = n.left
		}
		return n
	}
	for n.up != nil && n.up.right == n {
		n = n.up
	}
	return n.up
}

// setNeed changes what a node of the tree needs.
func (t *tree[T]) setNeed(n *node[T], need int64) {
	if n.need == need {
		return
	}
	n.need = need
	for at := n; at != nil; at = at.up {
		at.pull()
	}
}

// within is the first node in order that needs at most free.
func (t *tree[T]) within(free int64) *node[T] {
	if t.root == nil || t.root.low > free {
		return nil
	}
	if t.first.need <= free {
		return t.first
	}
	for n := t.root; ; {
		switch {
		case n.left != nil && n.left.low <= free:
			n = n.left
		case n.need <= free:
			return n
		default:
			n = n.right
		}
	}
}

// all yields the items in order.
func (t *tree[T]) all(yield func(T) bool) {
	for n := t.first; n != nil; n = n.next() {
		if !yield(n.item) {
			return
		}
	}
}
