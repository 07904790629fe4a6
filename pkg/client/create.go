package client

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Settings are what can be set of an operation or workflow beside what it runs.
type Settings struct {
	// Queue is NAME or AGENT/NAME. Empty: the component's, the project's, the organization's, the cluster's default.
	Queue string
	// Project. Empty: the only one that claims the namespace.
	Project string
	// Priority inside the queue: larger goes first.
	Priority *int32
	// Params by name, as JSON writes them.
	Params v1alpha1.Values
}

// Apply writes what is set into an operation or workflow, over what it says itself.
func (s Settings) Apply(o client.Object) error {
	switch o := o.(type) {
	case *v1alpha1.Operation:
		s.set(&o.Spec.Queue, &o.Spec.Project, &o.Spec.Priority, &o.Spec.Params)
	case *v1alpha1.Workflow:
		s.set(&o.Spec.Queue, &o.Spec.Project, &o.Spec.Priority, &o.Spec.Params)
	default:
		return fmt.Errorf("%T %s has no queue, project, priority and params: only operations and workflows have", o, o.GetName())
	}
	return nil
}

func (s Settings) set(queue, project *string, priority **int32, params *v1alpha1.Values) {
	if s.Queue != "" {
		*queue = s.Queue
	}
	if s.Project != "" {
		*project = s.Project
	}
	if s.Priority != nil {
		n := *s.Priority
		*priority = &n
	}
	for name, value := range s.Params {
		if *params == nil {
			*params = v1alpha1.Values{}
		}
		(*params)[name] = value
	}
}

// Params are values of Go as params: whatever encoding/json can write.
func Params(values map[string]any) (v1alpha1.Values, error) {
	params := v1alpha1.Values{}
	for name, value := range values {
		raw, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("param %s: %w", name, err)
		}
		params[name] = apiextensionsv1.JSON{Raw: raw}
	}
	return params, nil
}

// Create makes an operation or workflow with some settings. What the API server makes of it is written into it.
func (c *Client) Create(ctx context.Context, o client.Object, s Settings) error {
	if err := s.Apply(o); err != nil {
		return err
	}
	return c.Objects.Create(ctx, o, c.owner())
}

// PodOperation is an operation that runs as a pod. A name that ends in a dash is completed by the API server.
func PodOperation(namespace, name string, pod corev1.PodSpec) (*v1alpha1.Operation, error) {
	spec, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&pod)
	if err != nil {
		return nil, fmt.Errorf("pod of operation %s: %w", name, err)
	}
	raw, err := json.Marshal(map[string]any{"spec": spec})
	if err != nil {
		return nil, fmt.Errorf("pod of operation %s: %w", name, err)
	}
	o := operation(namespace, name)
	o.Spec.Template = &v1alpha1.RunTemplate{Pod: &runtime.RawExtension{Raw: raw}}
	return o, nil
}

// ComponentOperation is an operation that runs a component of its namespace.
func ComponentOperation(namespace, name, component string) *v1alpha1.Operation {
	o := operation(namespace, name)
	o.Spec.Component = component
	return o
}

func operation(namespace, name string) *v1alpha1.Operation {
	meta := metav1.ObjectMeta{Namespace: namespace, Name: name}
	if name == "" || name[len(name)-1] == '-' {
		meta.Name, meta.GenerateName = "", name
	}
	return &v1alpha1.Operation{ObjectMeta: meta}
}
