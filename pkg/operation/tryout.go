package operation

import (
	"context"
	"strings"

	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// placeholderUID stands for the UID that an operation does not have yet.
const placeholderUID = "00000000-0000-0000-0000-000000000000"

// TryOut makes what the first attempt of an operation that does not exist yet would run as, and finds all that is wrong with it.
func TryOut(ctx context.Context, op *v1alpha1.Operation, component *v1alpha1.Component, a tenancy.Assignment) (Made, error) {
	recipe, err := Compile(op, component)
	if err != nil {
		return Made{}, err
	}
	named := *op // its metadata is ours, its spec is only read
	named.UID = placeholderUID
	if named.Name == "" {
		named.Name = strings.TrimRight(named.GenerateName, "-.") + "-00000"
	}
	return recipe.Make(ctx, Mark{
		Operation: &named, Attempt: 1, Namespace: op.Namespace,
		Queue: a.Queue, Project: a.Project, Organization: a.Organization, Priority: ptr.To(Priority(op, component)),
	})
}
