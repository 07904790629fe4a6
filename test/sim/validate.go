package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// What the API server would refuse by the schema is refused here too.

func validateAgent(a *v1alpha1.Agent) error {
	return atLeast(v1alpha1.Unlimited, "spec.concurrency", a.Spec.Concurrency)
}

func validateQueue(q *v1alpha1.Queue) error {
	errs := []error{
		tenancy.ValidateQueue(q),
		atLeast(v1alpha1.Unlimited, "spec.priority", q.Spec.Priority),
		validateLimits(q.Spec.Concurrency, q.Spec.Quota),
	}
	if s := q.Spec.Strategy; s != "" && s != v1alpha1.BestEffortFIFO && s != v1alpha1.StrictFIFO {
		errs = append(errs, fmt.Errorf("spec.strategy: %q must be %s or %s", s, v1alpha1.BestEffortFIFO, v1alpha1.StrictFIFO))
	}
	if s := q.Spec.State; s != "" && s != v1alpha1.QueueOpen && s != v1alpha1.QueuePaused && s != v1alpha1.QueueDraining {
		errs = append(errs, fmt.Errorf("spec.state: %q must be %s, %s or %s", s, v1alpha1.QueueOpen, v1alpha1.QueuePaused, v1alpha1.QueueDraining))
	}
	return errors.Join(errs...)
}

func validateProject(p *v1alpha1.Project) error {
	return errors.Join(tenancy.ValidateProject(p), validateLimits(p.Spec.Concurrency, p.Spec.Quota))
}

func validateOrganization(o *v1alpha1.Organization) error {
	return errors.Join(tenancy.ValidateOrganization(o), validateLimits(o.Spec.Concurrency, o.Spec.Quota))
}

func validateLimits(concurrency *int32, quota *v1alpha1.Quota) error {
	errs := []error{atLeast(v1alpha1.Unlimited, "spec.concurrency", concurrency)}
	if quota == nil {
		return errs[0]
	}
	for _, name := range slices.Sorted(maps.Keys(quota.Resources)) {
		q := quota.Resources[name]
		field := fmt.Sprintf("spec.quota.resources[%s]", name)
		switch {
		case q.Sign() < 0 && q.CmpInt64(v1alpha1.Unlimited) != 0:
			errs = append(errs, fmt.Errorf("%s: %s must be 0 or more, or -1 for unlimited", field, q.String()))
		default:
			errs = append(errs, notTooLarge(field, q))
		}
	}
	return errors.Join(errs...)
}

func atLeast(least int32, field string, n *int32) error {
	if n == nil || *n >= least {
		return nil
	}
	return fmt.Errorf("%s: %d must be %d or more", field, *n, least)
}

var largest = resource.MustParse("9P")

func notTooLarge(field string, q resource.Quantity) error {
	if q.Cmp(largest) <= 0 {
		return nil
	}
	return fmt.Errorf("%s: %s must be at most %s", field, q.String(), largest.String())
}
