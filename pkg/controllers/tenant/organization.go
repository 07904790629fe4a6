package tenant

import (
	"context"
	"fmt"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// OrganizationReconciler writes the status of organizations.
type OrganizationReconciler struct {
	client client.Client
}

// SetupOrganizations adds the controller of organizations to a manager.
func SetupOrganizations(mgr ctrl.Manager) error {
	r := &OrganizationReconciler{client: mgr.GetClient()}
	changes := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.Organization{}, changes).
		Watches(&v1alpha1.Queue{}, enqueueAll(r.client, &v1alpha1.OrganizationList{}), changes).
		Complete(r)
}

// Reconcile implements reconcile.Reconciler.
func (r *OrganizationReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	o := &v1alpha1.Organization{}
	if err := r.client.Get(ctx, req.NamespacedName, o); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	queues, err := queueNames(ctx, r.client)
	if err != nil {
		return ctrl.Result{}, err
	}
	before := o.DeepCopy()
	if !report(&o.Status, o.Generation, inspectOrganization(o, queues)) {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{}, client.IgnoreNotFound(r.client.Status().Patch(ctx, o, client.MergeFrom(before)))
}

func inspectOrganization(o *v1alpha1.Organization, queues map[string]bool) []finding {
	var findings []finding
	if err := tenancy.ValidateOrganization(o); err != nil {
		return append(findings, finding{reason: reasonInvalidSpec, message: err.Error()})
	}
	return append(findings, inspectDefaultQueue(o.Spec.DefaultQueue, queues)...)
}

func inspectDefaultQueue(name string, queues map[string]bool) []finding {
	if name == "" || queues[name] {
		return nil
	}
	return []finding{{reason: reasonUnknownObjects, message: fmt.Sprintf("spec.defaultQueue: queue %q does not exist: create it, or choose another", name)}}
}
