package ledger

// seated is the operations of a queue that hold a seat, in no order. Their places stay: who takes a seat or
// frees it looks at no other operation.
type seated struct {
	list  []*operation // nil: free
	spare []int32      // the free places
}

// seatedSlack is how many free places a short list keeps.
const seatedSlack = 64

func (s *seated) add(op *operation) {
	if last := len(s.spare) - 1; last >= 0 {
		op.seat = s.spare[last]
		s.spare = s.spare[:last]
		s.list[op.seat] = op
		return
	}
	op.seat = int32(len(s.list))
	s.list = append(s.list, op)
}

func (s *seated) remove(op *operation) {
	s.list[op.seat] = nil
	s.spare = append(s.spare, op.seat)
	if 2*len(s.spare) > len(s.list)+seatedSlack {
		s.tighten()
	}
}

// tighten gives those that hold a seat new places, side by side.
func (s *seated) tighten() {
	left := make([]*operation, 0, len(s.list)-len(s.spare))
	for op := range s.all {
		op.seat = int32(len(left))
		left = append(left, op)
	}
	*s = seated{list: left}
}

func (s *seated) all(yield func(*operation) bool) {
	for _, op := range s.list {
		if op != nil && !yield(op) {
			return
		}
	}
}
