package cli

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	visibility "github.com/queueyard/queueyard/pkg/apis/visibility/v1alpha1"
)

// ask asks the aggregated API, which the leading scheduler answers.
func ask[T any](ctx context.Context, c *cluster, path string, query ...string) (*T, error) {
	request := c.kube.Discovery().RESTClient().Get().AbsPath("/apis/" + visibility.GroupVersion.String() + path)
	for i := 0; i < len(query); i += 2 {
		request.Param(query[i], query[i+1])
	}
	result := request.Do(ctx)
	if err := result.Error(); err != nil {
		return nil, err
	}
	data, err := result.Raw()
	if err != nil {
		return nil, err
	}
	answer := new(T)
	if err := json.Unmarshal(data, answer); err != nil {
		return nil, fmt.Errorf("%s answered what is no %T: %w", path, *answer, err)
	}
	return answer, nil
}

// unanswered says that no scheduler leads, or that there is none of Queueyard.
func unanswered(err error) bool {
	return apierrors.IsServiceUnavailable(err) || apierrors.IsNotFound(err) && apierrors.ReasonForError(err) == "NotFound" && !hasKind(err)
}

// hasKind: the error names what was not found, so somebody answered.
func hasKind(err error) bool {
	status, ok := err.(apierrors.APIStatus)
	return ok && status.Status().Details != nil && status.Status().Details.Kind != ""
}
