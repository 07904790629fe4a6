package toolarge

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

func TestIs(t *testing.T) {
	for _, err := range []error{
		apierrors.NewRequestEntityTooLargeError("limit is 3145728"), apierrors.NewInternalError(errors.New("etcdserver: request is too large")),
		fmt.Errorf("wrapped: %w", errors.New("rpc error: code = ResourceExhausted desc = trying to send message larger than max (2150000 vs. 2097152)")),
	} {
		require.True(t, Is(err), err.Error())
	}
	for _, err := range []error{nil, errors.New("etcdserver: request timed out"), apierrors.NewTooManyRequests("later", 1)} {
		require.False(t, Is(err))
	}
}
