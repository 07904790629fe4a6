package ledger

import "math"

// crew is the pods that must be admitted together with a waiting pod, in order, and whether they are
// all here; nil for a pod that is admitted alone.
func (m *model) crew(p *modelPod) (crew []*modelPod, complete bool) {
	gang, holders := 0, 0
	for _, other := range m.pods {
		if other.op() != p.op() {
			continue
		}
		gang = max(gang, other.Gang)
		switch {
		case other.state == Running:
			return nil, true
		case other.state == Admitted:
			holders++
		case other.state == Waiting && other.owner() == p.owner():
			crew = append(crew, other)
		}
	}
	missing := gang - holders
	if gang <= 1 || missing <= 0 || p.state != Waiting {
		return nil, true
	}
	m.sort(crew)
	return crew[:min(missing, len(crew))], len(crew) >= missing
}

// asks is what must be free for a pod to be admitted.
func (m *model) asks(p *modelPod) map[string]int64 {
	crew, _ := m.crew(p)
	if crew == nil {
		return p.Requests
	}
	sum := map[string]int64{}
	for _, other := range crew {
		for resource, want := range other.Requests {
			if want = max(want, 0); sum[resource] > math.MaxInt64-want {
				sum[resource] = math.MaxInt64
			} else {
				sum[resource] += want
			}
		}
	}
	return sum
}
