package division

import (
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/limits"
)

// object is the tenant as the API has it, with pointers into it. Of a queue, the status is a copy of what it has in common
// with that of tenants.
type object struct {
	client.Object
	concurrency *int32
	quota       *v1alpha1.Quota
	status      *v1alpha1.TenantStatus
}

func (t tenant) empty() object {
	switch t.kind {
	case ledger.Project:
		p := &v1alpha1.Project{}
		return object{Object: p, status: &p.Status}
	case ledger.Queue:
		return object{Object: &v1alpha1.Queue{}, status: &v1alpha1.TenantStatus{}}
	}
	o := &v1alpha1.Organization{}
	return object{Object: o, status: &o.Status}
}

func (o *object) read() {
	switch is := o.Object.(type) {
	case *v1alpha1.Project:
		o.concurrency, o.quota = is.Spec.Concurrency, is.Spec.Quota
	case *v1alpha1.Organization:
		o.concurrency, o.quota = is.Spec.Concurrency, is.Spec.Quota
	case *v1alpha1.Queue:
		o.concurrency, o.quota = is.Spec.Concurrency, is.Spec.Quota
		*o.status = v1alpha1.TenantStatus{Enforced: is.Status.Enforced, Budget: is.Status.Budget, Local: is.Status.Local, Shares: is.Status.Shares, Withheld: is.Status.Withheld, Demand: demandHere(is)}
		if e := o.status.Enforced; e != nil && o.status.Local == nil && e.Generation != is.Generation {
			o.status.Enforced = nil // said before it was shared
		}
	}
}

// demandHere is what pods of this cluster want of a queue, as far as its status tells: it counts those of all clusters.
func demandHere(q *v1alpha1.Queue) *v1alpha1.Share {
	wanted := limits.Amounts(q.Status.Usage)
	wanted[limits.Seats] = int64(q.Status.Pending + q.Status.Admitted)
	for i := range q.Status.Agents {
		a := &q.Status.Agents[i]
		wanted[limits.Seats] -= int64(a.Pending + a.Admitted)
		for dim, n := range limits.Amounts(a.Usage) {
			wanted[dim] -= n
		}
	}
	for dim := range wanted {
		wanted[dim] = max(wanted[dim], 0)
	}
	share := limits.ShareOf(wanted)
	return &share
}

// write puts into the object what was decided.
func (o *object) write() {
	if q, is := o.Object.(*v1alpha1.Queue); is {
		q.Status.Local, q.Status.Shares, q.Status.Withheld = o.status.Local, o.status.Shares, o.status.Withheld
	}
}

// request names a tenant: the namespace is its kind.
func (t tenant) request() reconcile.Request {
	return reconcile.Request{NamespacedName: client.ObjectKey{Namespace: t.kind.String(), Name: t.name}}
}

func tenantOf(req reconcile.Request) tenant {
	for _, kind := range []ledger.Kind{ledger.Organization, ledger.Queue} {
		if req.Namespace == kind.String() {
			return tenant{kind, req.Name}
		}
	}
	return tenant{ledger.Project, req.Name}
}

// mirror is the name of its mirrors.
func (t tenant) mirror() string { return t.kind.String() + "." + t.name }
