package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	visibility "github.com/queueyard/queueyard/pkg/apis/visibility/v1alpha1"
)

// ErrNoLeader: no scheduler of Queueyard leads, or there is none, so nobody answers for the lines of queues.
var ErrNoLeader = errors.New("no scheduler of Queueyard leads")

// ask asks the aggregated API, which the leading scheduler answers.
func ask[T any](ctx context.Context, c *Client, path string, query ...string) (*T, error) {
	request := c.Raw.Get().AbsPath("/apis/" + visibility.GroupVersion.String() + path)
	for i := 0; i < len(query); i += 2 {
		request.Param(query[i], query[i+1])
	}
	result := request.Do(ctx)
	if err := result.Error(); unanswered(err) {
		return nil, fmt.Errorf("%w: %w", ErrNoLeader, err)
	} else if err != nil {
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
	return apierrors.IsServiceUnavailable(err) || apierrors.IsNotFound(err) && apierrors.ReasonForError(err) == metav1.StatusReasonNotFound && !hasKind(err)
}

// hasKind: the error names what was not found, so somebody answered.
func hasKind(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Details != nil && status.Status().Details.Kind != ""
}

// Line is a page of what waits in a queue, in the order of admission. The error is ErrNoLeader where nobody can tell.
func (c *Client) Line(ctx context.Context, queue string, limit int, from string) (*visibility.PendingOperationList, error) {
	query := []string{"limit", strconv.Itoa(limit)}
	if from != "" {
		query = append(query, "continue", from)
	}
	return ask[visibility.PendingOperationList](ctx, c, "/queues/"+queue+"/pendingoperations", query...)
}
