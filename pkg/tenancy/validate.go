package tenancy

import (
	"errors"
	"fmt"
	"path"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// The validations below look at one object and find what its schema cannot show. That a name leads
// to nothing is no error here: objects may be applied in any order, and Ready says what is missing.

// ValidateQueue says what is wrong with a queue, or nil.
func ValidateQueue(q *v1alpha1.Queue) error {
	errs := []error{validReference("spec.agent", q.Spec.Agent)}
	for _, name := range q.Spec.Agents {
		errs = append(errs, validReference("spec.agents", name))
	}
	return errors.Join(errs...)
}

// ValidateOrganization says what is wrong with an organization, or nil.
func ValidateOrganization(o *v1alpha1.Organization) error {
	return validReference("spec.defaultQueue", o.Spec.DefaultQueue)
}

// ValidateProject says all that is wrong with a project, or nil.
func ValidateProject(p *v1alpha1.Project) error {
	errs := []error{
		validReference("spec.organization", p.Spec.Organization),
		validReference("spec.defaultQueue", p.Spec.DefaultQueue),
	}
	for _, glob := range p.Spec.AllowedQueues {
		if _, err := path.Match(glob, ""); err != nil {
			errs = append(errs, fmt.Errorf("spec.allowedQueues: %s cannot be read as a glob: write a queue's name, or a pattern such as \"gpu-*\"", quote(glob)))
		}
	}
	if d := p.Spec.DefaultQueue; d != "" && !Allowed(p.Spec.AllowedQueues, d) {
		errs = append(errs, fmt.Errorf("spec.defaultQueue: queue %s is not among spec.allowedQueues (%s): add it there, or choose another default", quote(d), list(p.Spec.AllowedQueues)))
	}
	if _, err := metav1.LabelSelectorAsSelector(p.Spec.Namespaces.Selector); err != nil {
		errs = append(errs, fmt.Errorf("spec.namespaces.selector cannot be read: %w", err))
	}
	return errors.Join(errs...)
}

func validReference(field, name string) error {
	if name == "" || isName(name) {
		return nil
	}
	return fmt.Errorf("%s: %s cannot be a name: names have at most 63 lower-case letters, digits and dashes", field, quote(name))
}
