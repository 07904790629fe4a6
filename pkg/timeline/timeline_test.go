package timeline

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// The API server takes no status that has a reason of another form.
var form = regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$`)

func TestReasonsAreWords(t *testing.T) {
	for given, want := range map[string]string{
		"OOMKilled": "OOMKilled", "OutOfnvidia.com/gpu": "OutOfnvidia_com_gpu", "OutOfephemeral-storage": "OutOfephemeral_storage",
		"": "Unknown", "5xx": "Unknown_5xx", "it failed!": "it_failed", "né": "n", "--": "Unknown",
		strings.Repeat("x", 5000): strings.Repeat("x", 1024),
	} {
		line, _ := Append(nil, v1alpha1.TimelineEntry{Status: v1alpha1.StatusFailed, Reason: given})
		require.Equal(t, want, line[0].Reason)
		var conditions []metav1.Condition
		SetConditions(&conditions, line, "operation", 1, line[0].Time.Time)
		for _, c := range conditions {
			require.Regexp(t, form, c.Reason)
		}
	}
}
