package sim

// heap keeps the least of its items first.
type heap[T any] struct {
	items []T
	less  func(a, b T) bool
}

func (h *heap[T]) empty() bool { return len(h.items) == 0 }

func (h *heap[T]) first() T { return h.items[0] }

func (h *heap[T]) push(item T) {
	h.items = append(h.items, item)
	for at := len(h.items) - 1; at > 0; {
		up := (at - 1) / 2
		if !h.less(h.items[at], h.items[up]) {
			return
		}
		h.items[at], h.items[up] = h.items[up], h.items[at]
		at = up
	}
}

func (h *heap[T]) pop() T {
	first, last := h.items[0], len(h.items)-1
	h.items[0] = h.items[last]
	h.items[last] = *new(T)
	h.items = h.items[:last]
	for at := 0; ; {
		least := at
		for _, child := range [...]int{2*at + 1, 2*at + 2} {
			if child < last && h.less(h.items[child], h.items[least]) {
				least = child
			}
		}
		if least == at {
			return first
		}
		h.items[at], h.items[least] = h.items[least], h.items[at]
		at = least
	}
}
