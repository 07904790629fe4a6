package division

import (
	"maps"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/cost"
	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/limits"
	"github.com/queueyard/queueyard/pkg/shares"
)

// tenant is a project or an organization, or a queue.
type tenant struct {
	kind ledger.Kind
	name string
}

// demands is what the operations of tenants use and wait for, by queue and place. Pods that are no operations are counted where
// they are.
type demands struct {
	changed func(tenant)

	mu  sync.Mutex
	ops map[types.UID]demand
	sum map[tenant]map[at]*amounts
}

// at is where operations count: their queue, and once it is chosen, the agent in another cluster; empty: this one.
type at struct {
	queue, agent string
	placed       bool
}

// amounts is what operations want. What those ask for that declare no cost is in priced, too.
type amounts struct{ all, priced shares.Share }

// demand is what one operation wants of its tenants.
type demand struct {
	tenants [3]tenant
	at      at
	amounts shares.Share
	priced  bool
}

func newDemands(changed func(tenant)) *demands {
	return &demands{changed: changed, ops: map[types.UID]demand{}, sum: map[tenant]map[at]*amounts{}}
}

func demandOf(op *v1alpha1.Operation) (demand, bool) {
	s := &op.Status
	if s.Queue == "" || !wants(s.Phase) {
		return demand{}, false
	}
	wanted := shares.Share(limits.Amounts(s.Requests))
	wanted[limits.Seats] = 1
	rate, err := cost.Parse(s.Cost)
	if err == nil {
		wanted[ledger.CostPerHour] = rate
	}
	d := demand{at: at{s.Queue, s.Agent, s.Run != nil}, amounts: wanted, priced: err != nil, tenants: [3]tenant{{ledger.Queue, s.Queue}}}
	if s.Project != "" {
		d.tenants[1] = tenant{ledger.Project, s.Project}
	}
	if s.Project != "" && s.Organization != "" {
		d.tenants[2] = tenant{ledger.Organization, s.Organization}
	}
	return d, true
}

// wants says whether an operation has room or waits for it.
func wants(phase v1alpha1.Status) bool {
	switch phase {
	case v1alpha1.StatusQueued, v1alpha1.StatusUnschedulable, v1alpha1.StatusScheduled, v1alpha1.StatusStarting,
		v1alpha1.StatusRunning, v1alpha1.StatusWarning, v1alpha1.StatusUnknown, v1alpha1.StatusStopping:
		return true
	}
	return false
}

func (d *demands) seen(op *v1alpha1.Operation) {
	now, wants := demandOf(op)
	d.mu.Lock()
	before, had := d.ops[op.UID]
	same := had == wants && before.tenants == now.tenants && before.at == now.at && before.priced == now.priced && maps.Equal(before.amounts, now.amounts)
	if !same {
		d.add(before, -1)
		d.add(now, 1)
		if wants {
			d.ops[op.UID] = now
		} else {
			delete(d.ops, op.UID)
		}
	}
	d.mu.Unlock()
	if same {
		return
	}
	for _, t := range append(before.tenants[:], now.tenants[:]...) {
		if t.name != "" {
			d.changed(t)
		}
	}
}

func (d *demands) gone(op *v1alpha1.Operation) {
	d.seen(&v1alpha1.Operation{ObjectMeta: op.ObjectMeta})
}

func (d *demands) add(of demand, sign int64) {
	for _, t := range of.tenants {
		if t.name == "" {
			continue
		}
		if d.sum[t] == nil {
			d.sum[t] = map[at]*amounts{}
		}
		sum := d.sum[t][of.at]
		if sum == nil {
			sum = &amounts{shares.Share{}, shares.Share{}}
			d.sum[t][of.at] = sum
		}
		for dim, n := range of.amounts {
			change(sum.all, dim, sign*n)
			if of.priced {
				change(sum.priced, dim, sign*n)
			}
		}
		if len(sum.all) == 0 {
			delete(d.sum[t], of.at)
		}
		if len(d.sum[t]) == 0 {
			delete(d.sum, t)
		}
	}
}

func change(s shares.Share, dim string, n int64) {
	if s[dim] += n; s[dim] == 0 {
		delete(s, dim)
	}
}

// by sums the demand of a tenant by the agents of its queues, at their prices.
func (d *demands) by(t tenant, served func(at) (agent string, prices cost.Prices)) map[string]shares.Share {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := map[string]shares.Share{}
	for of, sum := range d.sum[t] {
		agent, prices := served(of)
		if out[agent] == nil {
			out[agent] = shares.Share{}
		}
		for dim, n := range sum.all {
			out[agent][dim] += n
		}
		asked := maps.Clone(sum.priced)
		delete(asked, limits.Seats)
		out[agent][ledger.CostPerHour] += prices.Rate(limits.Quantities(asked))
	}
	return out
}
