package tenancy

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// FuzzReference reads any label and annotation as a queue: what is accepted is a name, and reads the same when it is written anew.
func FuzzReference(f *testing.F) {
	for _, seed := range []string{"", "gpu", "lab.gpu", "lab/gpu", "a/b/c", ".", "/", "gpu.", "Gpu", "g\x00u"} {
		f.Add(seed, "")
		f.Add("gpu", seed)
	}
	f.Fuzz(func(t *testing.T, label, annotation string) {
		key := v1alpha1.QueueLabel
		ref, refusal := queueReference(map[string]string{key: label}, map[string]string{key: annotation})
		if refusal != nil {
			require.Less(t, len(refusal.Message), 2048)
			return
		}
		require.Equal(t, label != "" || annotation != "", ref.given())
		if !ref.given() {
			return
		}
		require.True(t, isName(ref.queue))
		again, refusal := parseReference("label", ref.String())
		require.Nil(t, refusal)
		require.Equal(t, ref, again)
		project, refusal := projectReference(map[string]string{v1alpha1.ProjectLabel: label}, map[string]string{v1alpha1.ProjectLabel: annotation})
		require.True(t, refusal != nil || project == "" || isName(project))
	})
}
