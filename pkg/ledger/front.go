package ledger

// Front names the first pods that wait in a queue, in the order of admission. Those that can't ever
// fit are not among them. Its cost is O(shapes + max·log shapes).
func (l *Ledger) Front(queue string, max int) []string {
	q := l.queues[queue]
	if q == nil {
		return nil
	}
	walk := q.walk(Place{})
	var uids []string
	for p := walk.peek(); p != nil && len(uids) < max && p.shape.group() != neverGroup; p = walk.peek() {
		uids = append(uids, p.uid)
		walk.step()
	}
	return uids
}
