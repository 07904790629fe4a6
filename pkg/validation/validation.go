// Package validation says of components, operations and workflows what is wrong with them that their schema does not show. It
// is pure: admission asks it, and so does who checks files.
package validation

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/operation"
	"github.com/queueyard/queueyard/pkg/tenancy"
	"github.com/queueyard/queueyard/pkg/workflow/plan"
)

// The schema's own bounds. It is asked after the webhook, which must not follow what is longer.
const (
	maxTemplates = 200
	maxSteps     = 1000
	maxInputs    = 100
)

// WellFormed says that of what excludes each other there is one, and that nothing is longer than the schema allows.
func WellFormed(spec *v1alpha1.WorkflowSpec) bool {
	if len(spec.Templates) > maxTemplates || len(spec.Inputs) > maxInputs {
		return false
	}
	one := func(all ...bool) bool {
		n := 0
		for _, is := range all {
			if is {
				n++
			}
		}
		return n == 1
	}
	for i := range spec.Templates {
		t := &spec.Templates[i]
		if !one(t.Operation != nil, t.DAG != nil, t.Matrix != nil) || len(t.Inputs) > maxInputs {
			return false
		}
		if o := t.Operation; o != nil && !one(o.Component != "", o.Template != nil) {
			return false
		}
		if m := t.Matrix; m != nil && !(one(m.Template != "", m.Component != "") && one(plan.Kinds(m)...)) {
			return false
		}
		if m := t.Matrix; m != nil && m.Iterative != nil && (m.Iterative.Suggest == nil || !one(m.Iterative.Suggest.Template != "", m.Iterative.Suggest.Component != "")) {
			return false
		}
		if t.DAG == nil {
			continue
		}
		if len(t.DAG.Operations) > maxSteps {
			return false
		}
		for k := range t.DAG.Operations {
			if s := &t.DAG.Operations[k]; !one(s.Template != "", s.Component != "") {
				return false
			}
		}
	}
	return spec.OnExit == nil || one(spec.OnExit.Template != "", spec.OnExit.Component != "")
}

// Durations refuses durations that are none.
func Durations(spec *v1alpha1.WorkflowSpec) error {
	for field, d := range map[string]*metav1.Duration{"timeout": spec.Timeout, "ttl": spec.TTL} {
		if d != nil && d.Duration < 0 {
			return fmt.Errorf("spec.%s is %s, which is negative: write 0s or more, or leave it out", field, d.Duration)
		}
	}
	if err := Termination(spec.Termination); err != nil {
		return err
	}
	for i := range spec.Templates {
		t := &spec.Templates[i]
		var all []*v1alpha1.Termination
		switch {
		case t.Operation != nil:
			all = append(all, t.Operation.Termination)
		case t.Matrix != nil:
			all = append(all, t.Matrix.Termination)
			if i := t.Matrix.Iterative; i != nil && i.Suggest != nil {
				all = append(all, i.Suggest.Termination)
			}
		case t.DAG != nil:
			for k := range t.DAG.Operations {
				all = append(all, t.DAG.Operations[k].Termination)
			}
		}
		for _, termination := range all {
			if err := Termination(termination); err != nil {
				return fmt.Errorf("spec.templates[%d] (%s): %w", i, t.Name, err)
			}
		}
	}
	return nil
}

// Termination refuses durations that are none.
func Termination(t *v1alpha1.Termination) error {
	if t == nil {
		return nil
	}
	type duration struct {
		field string
		is    *metav1.Duration
	}
	durations := []duration{{"timeout", t.Timeout}, {"queueTimeout", t.QueueTimeout}, {"startTimeout", t.StartTimeout}, {"ttl", t.TTL}}
	if t.Backoff != nil {
		durations = append(durations, duration{"backoff.initial", t.Backoff.Initial}, duration{"backoff.max", t.Backoff.Max})
	}
	for _, d := range durations {
		if d.is != nil && d.is.Duration < 0 {
			return fmt.Errorf("spec.termination.%s is %s, which is negative: write 0s or more, or leave it out", d.field, d.is.Duration)
		}
	}
	return nil
}

// Component says what is wrong with a component by itself, or nil.
func Component(c *v1alpha1.Component) error {
	claim := operation.ClaimOf(&v1alpha1.Operation{}, c, nil)
	if refusal := operation.InFields(tenancy.CheckCost(claim)); refusal != nil {
		return refusal
	}
	if err := Termination(c.Spec.Termination); err != nil {
		return err
	}
	return operation.CheckComponent(c)
}
