package visibility

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/queueyard/queueyard/pkg/apis/visibility/v1alpha1"
)

// asked remembers how much it was asked for.
type asked struct {
	Source
	limit int
}

func (a *asked) PendingOperations(_, _ string, limit int) (*v1alpha1.PendingOperationList, error) {
	a.limit = limit
	return nil, nil
}

// Whatever a client asks for, a page is bounded: it is read under the scheduler's lock.
func TestPagesAreBounded(t *testing.T) {
	for given, want := range map[int64]int{0: 100, 1: 1, 1000: 1000, 1001: 1000, 1 << 62: 1000, -1: 100, -1 << 62: 100} {
		source := &asked{}
		_, err := pendingOperations{source}.Get(t.Context(), "q", &v1alpha1.PendingOperationOptions{Limit: given})
		require.NoError(t, err)
		require.Equal(t, want, source.limit, "limit %d", given)
	}
}
