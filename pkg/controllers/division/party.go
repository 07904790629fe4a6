package division

import (
	"slices"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/cost"
	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/limits"
	"github.com/queueyard/queueyard/pkg/shares"
)

// local is this cluster. What the agents that are not remote are asked for is its demand.
func local(status *v1alpha1.TenantStatus, agents []agent, demand map[string]shares.Share) shares.Party {
	p := shares.Party{Published: shares.Share{}, Held: shares.Share{}, Demand: shares.Share(limits.OfShare(status.Demand))}
	for name, amounts := range demand {
		if !slices.ContainsFunc(agents, func(a agent) bool { return a.name == name }) {
			p.Demand = larger(p.Demand, amounts)
		}
	}
	var revision int64
	switch {
	case status.Local != nil:
		p.Published, revision = limits.OfShare(status.Local), status.Local.Revision
	case len(status.Shares) > 0:
		p.Published = nil // it goes by nothing while others have shares
	}
	if e := status.Enforced; e == nil || e.Revision != revision {
		p.Pending = status.Local != nil
	} else {
		p.Held = limits.OfShare(&e.Share)
		used := limits.Amounts(status.Usage)
		used[limits.Seats] = int64(status.Admitted)
		if rate, err := cost.Parse(status.CostRate); err == nil {
			used[ledger.CostPerHour] = rate
		}
		if status.Budget != nil {
			used[limits.Budget], _ = cost.Parse(status.Budget.Spent)
		}
		for dim := range p.Held {
			p.Held[dim] = max(p.Held[dim], used[dim])
		}
	}
	if status.Budget != nil {
		spent, _ := cost.Parse(status.Budget.Spent)
		p.Demand[limits.Budget] = spent + p.Demand[ledger.CostPerHour]
	}
	return p
}

// remote is the cluster of an agent.
func remote(a *agent, status *v1alpha1.TenantStatus, demand, sent shares.Share) shares.Party {
	p := shares.Party{Name: a.name, Demand: shares.Share{}, Known: larger(shares.Share{}, sent), Unreachable: !a.heard || !a.exists, Gone: a.over, Leaving: a.former}
	p.Demand = larger(p.Demand, demand)
	is := shareOf(status, a.name)
	if is != nil {
		p.Published, p.Pending = limits.OfShare(&is.Share), true
	}
	if a.mirror == nil {
		return p
	}
	m := a.mirror
	switch {
	case m.Status.Held != nil:
		p.Held = limits.OfShare(m.Status.Held)
	case p.Unreachable && !a.last.IsZero():
		p.Held = shares.Share{} // it may have had the tenant without limits, and not said so yet
	}
	if q := m.Status.Queue; q != nil {
		p.Known = larger(p.Known, limits.Amounts(q.Usage))
	}
	if m.Status.Demand != nil {
		wanted := shares.Share(limits.OfShare(m.Status.Demand))
		p.Demand, p.Known = larger(p.Demand, wanted), larger(p.Known, wanted)
		if spent, budgeted := wanted[limits.Budget]; budgeted {
			p.Demand[limits.Budget] = spent + p.Demand[ledger.CostPerHour]
		}
	}
	if is != nil && m.Spec.Revision == is.Revision {
		p.Pending = m.Status.ObservedGeneration < m.Generation
		return p
	}
	// It may have what its mirror says, which is not what it is given.
	p.Held = widest(p.Held, published(&m.Spec))
	return p
}

// published is the share that a mirror gives.
func published(spec *v1alpha1.MirrorSpec) shares.Share {
	switch {
	case spec.Project != nil:
		return limits.OfTenant(spec.Project.Concurrency, spec.Project.Quota)
	case spec.Organization != nil:
		return limits.OfTenant(spec.Organization.Concurrency, spec.Organization.Quota)
	case spec.Queue != nil:
		return limits.OfTenant(spec.Queue.Concurrency, spec.Queue.Quota)
	}
	return nil
}

// larger is of amounts the larger ones.
func larger(a, b shares.Share) shares.Share {
	for dim, n := range b {
		a[dim] = max(a[dim], n)
	}
	return a
}

// widest is of two shares what either allows.
func widest(a, b shares.Share) shares.Share {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	out := shares.Share{}
	for dim, n := range a {
		if m, limited := b[dim]; limited {
			out[dim] = max(n, m)
		}
	}
	return out
}

// empty says that a cluster has given back all that it had.
func empty(p *shares.Party, limit shares.Share) bool {
	if p.Gone {
		return true
	}
	for dim := range limit {
		if p.Unbounded(dim) {
			return false
		}
	}
	for dim, n := range p.Published {
		if held, limited := p.Held[dim]; n > 0 || !limited || held > 0 {
			return false
		}
	}
	return !p.Pending
}
