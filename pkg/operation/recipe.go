package operation

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/expression"
	"github.com/queueyard/queueyard/pkg/params"
)

// globals are what expressions see as globals.NAME.
var globals = map[string]expression.Type{
	"name": params.String, "namespace": params.String, "uid": params.String, "attempt": params.Int,
	"queue": params.String, "project": params.String, "organization": params.String, "component": params.String,
}

// Recipe is a template that was checked, with the params of an operation.
type Recipe struct {
	kind       string
	template   *expression.Template
	params     map[string]any
	component  string
	object     *v1alpha1.ObjectTemplate // of one that makes an object of any kind
	Conditions Conditions
}

// Compile checks what an operation, and the component it names, would run. The component is nil where
// the operation has a template of its own. The paths in errors are those of the object that the fault is in.
func Compile(op *v1alpha1.Operation, component *v1alpha1.Component) (*Recipe, error) {
	r := &Recipe{}
	template, root, types := op.Spec.Template, "spec.template", map[string]expression.Type{}
	if component != nil {
		template, root = &component.Spec.Template, "component "+component.Name+": spec.template"
		r.component = component.Name
		resolved, errs := params.Resolve(component.Spec.Inputs, op.Spec.Params, "spec.params")
		if err := errs.Err(); err != nil {
			return nil, err
		}
		r.params, types = resolved, params.TypesOf(component.Spec.Inputs)
	} else {
		r.params = make(map[string]any, len(op.Spec.Params))
		for name, given := range op.Spec.Params {
			value, err := params.Decode(given.Raw)
			if err != nil {
				return nil, fmt.Errorf("spec.params.%s %w", name, err)
			}
			r.params[name], types[name] = value, params.Any
		}
	}
	if template == nil {
		return nil, fmt.Errorf("an operation has either a component or a template: %s is missing", root)
	}
	return r, r.compile(template, root, types)
}

// CheckComponent checks a component without the params of an operation.
func CheckComponent(component *v1alpha1.Component) error {
	if errs := params.Validate(component.Spec.Inputs, "spec.inputs"); errs.Err() != nil {
		return errs.Err()
	}
	return (&Recipe{}).compile(&component.Spec.Template, "spec.template", params.TypesOf(component.Spec.Inputs))
}

// CheckTemplate checks a template where params of these types are seen. root is its path.
func CheckTemplate(template *v1alpha1.RunTemplate, root string, types map[string]expression.Type) error {
	r := &Recipe{}
	if err := r.compile(template, root, types); err != nil {
		return err
	}
	return r.form(template, root)
}

// ParamsOf are the names of the params that a template uses, of those that are seen where it stands.
func ParamsOf(template *v1alpha1.RunTemplate, seen map[string]expression.Type) ([]string, error) {
	r := &Recipe{}
	if err := r.compile(template, "template", seen); err != nil {
		return nil, err
	}
	return r.template.References().Params, nil
}

func (r *Recipe) compile(template *v1alpha1.RunTemplate, root string, types map[string]expression.Type) error {
	env, err := expression.NewEnvironment(expression.Declarations{Params: types, Globals: globals})
	if err != nil {
		return err
	}
	var raw *runtime.RawExtension
	switch {
	case template.Pod != nil:
		r.kind, raw = "pod", template.Pod
	case template.Job != nil:
		r.kind, raw = "job", template.Job
	case template.Object != nil:
		r.kind, raw, r.object = "object", &template.Object.Manifest, template.Object
		if err := r.conditions(template.Object, root+".object"); err != nil {
			return err
		}
		root += ".object.manifest"
	default:
		return fmt.Errorf("%s has none of pod, job and object", root)
	}
	if r.kind != "object" {
		root += "." + r.kind
	}
	tree, err := params.Decode(raw.Raw)
	if err != nil {
		return fmt.Errorf("%s %w", root, err)
	}
	if r.kind == "object" {
		if err := writtenOut(tree, root); err != nil {
			return err
		}
	}
	compiled, errs := expression.Compile(tree, root, env)
	r.template = compiled
	return errs.Err()
}

func (r *Recipe) conditions(o *v1alpha1.ObjectTemplate, root string) error {
	env, err := expression.NewEnvironment(expression.Declarations{Variables: map[string]expression.Type{objectVariable: params.Map}})
	if err != nil {
		return err
	}
	var errs expression.ErrorList
	if r.Conditions.Success, errs = expression.CompileCondition(o.SuccessCondition, root+".successCondition", env); errs.Err() != nil {
		return errs
	}
	if o.FailureCondition != "" {
		r.Conditions.Failure, errs = expression.CompileCondition(o.FailureCondition, root+".failureCondition", env)
	}
	return errs.Err()
}

// Make renders the template for an attempt.
func (r *Recipe) Make(ctx context.Context, m Mark) (Made, error) {
	tree, err := r.render(ctx, m)
	if err != nil {
		return Made{}, err
	}
	return m.Build(r.kind, tree)
}

func (r *Recipe) render(ctx context.Context, m Mark) (any, error) {
	rendered, errs := r.template.Render(ctx, expression.Values{Params: r.params, Globals: map[string]any{
		"name": m.Operation.Name, "namespace": m.Operation.Namespace, "uid": string(m.Operation.UID), "attempt": int64(m.Attempt),
		"queue": m.Queue, "project": m.Project, "organization": m.Organization, "component": r.component,
	}})
	if err := errs.Err(); err != nil {
		return nil, err
	}
	// Kubernetes' own trees have no other numbers than these.
	data, err := json.Marshal(rendered)
	if err != nil {
		return nil, err
	}
	return params.Decode(data)
}
