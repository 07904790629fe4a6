package operation

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/queueyard/queueyard/pkg/expression"
)

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
