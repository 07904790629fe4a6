package webhook

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func TestFillLabels(t *testing.T) {
	both := map[string]string{v1alpha1.QueueLabel: "q", v1alpha1.ProjectLabel: "p", "other": "x"}
	for name, tc := range map[string]struct {
		current map[string]string
		want    string
	}{
		"no labels":          {want: `[{"op":"add","path":"/l","value":{"queueyard.io/project":"p","queueyard.io/queue":"q"}}]`},
		"beside others":      {current: map[string]string{"a": "b"}, want: `[{"op":"add","path":"/l/queueyard.io~1project","value":"p"},{"op":"add","path":"/l/queueyard.io~1queue","value":"q"}]`},
		"an empty one":       {current: map[string]string{v1alpha1.QueueLabel: "", v1alpha1.ProjectLabel: "p"}, want: `[{"op":"add","path":"/l/queueyard.io~1queue","value":"q"}]`},
		"the longer form":    {current: map[string]string{v1alpha1.QueueLabel: "a.q", v1alpha1.ProjectLabel: "p"}, want: `null`},
		"nothing is missing": {current: both, want: `null`},
	} {
		t.Run(name, func(t *testing.T) {
			var p patch
			p.fillLabels("/l", tc.current, both)
			assertPatch(t, tc.want, p)
		})
	}
}

func TestFillTemplateWithoutMetadata(t *testing.T) {
	var p patch
	p.fillTemplate([]byte(`{"spec":{"template":{"spec":{}}}}`), &batchv1.Job{}, map[string]string{v1alpha1.QueueLabel: "q"})
	assertPatch(t, `[{"op":"add","path":"/spec/template/metadata","value":{}},{"op":"add","path":"/spec/template/metadata/labels","value":{"queueyard.io/queue":"q"}}]`, p)
}

func assertPatch(t *testing.T, want string, p patch) {
	t.Helper()
	got, err := json.Marshal(p)
	require.NoError(t, err)
	assert.JSONEq(t, want, string(got))
}
