package operation

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/expression"
)

// writtenOut refuses a manifest whose kind is known only when it is made, or is Queueyard's own. Whoever writes it is asked
// once whether they may create that kind; the controller makes it, and is asked nothing.
func writtenOut(tree any, root string) error {
	manifest, _ := tree.(map[string]any)
	for _, field := range []string{"apiVersion", "kind"} {
		if text, _ := manifest[field].(string); text == "" || strings.Contains(text, "{{") {
			return fmt.Errorf("%s.%s must be written out, without an expression: admission asks whether you may create that kind", root, field)
		}
	}
	if group, _, _ := strings.Cut(manifest["apiVersion"].(string), "/"); group == v1alpha1.GroupVersion.Group {
		return fmt.Errorf("%s.kind is %s, and operations make nothing of Queueyard's own: create it yourself, or write a Workflow", root, manifest["kind"])
	}
	return nil
}

// Conditions tell the end of an object of any kind.
type Conditions struct {
	Success *expression.Condition
	Failure *expression.Condition // nil: it never fails by itself
}

// objectVariable is how conditions call the object.
const objectVariable = "object"

// ObserveObject is what an object of any kind and its pods tell of the run that they are. Fields that
// the object does not have yet make a condition false.
func ObserveObject(object *unstructured.Unstructured, pods []*corev1.Pod, c Conditions) Observation {
	o := observePods(pods)
	o.Deleting = object.GetDeletionTimestamp() != nil
	values := expression.Values{Variables: map[string]any{objectVariable: object.Object}}
	if c.Failure != nil {
		if failed, _ := c.Failure.Evaluate(context.Background(), values); failed {
			if o.Stage != Failed {
				o.Cause = Cause{Application, "FailureCondition", fmt.Sprintf("the failureCondition of %s %s is true", object.GetKind(), object.GetName())}
			}
			o.Stage, o.Warning = Failed, nil
			return o
		}
	}
	if succeeded, _ := c.Success.Evaluate(context.Background(), values); succeeded {
		o.Stage, o.Cause, o.Warning = Succeeded, Cause{}, nil
		return o
	}
	return unfinished(o, object)
}
