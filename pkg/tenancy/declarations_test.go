package tenancy

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func TestDeclarations(t *testing.T) {
	for _, tc := range []struct {
		name, key, value string
		runtime          time.Duration
		fixed            bool
		reason, says     string
	}{
		{name: "nothing"},
		{name: "a duration", key: v1alpha1.MaxRuntimeAnnotation, value: "2h30m", runtime: 150 * time.Minute},
		{name: "no unit", key: v1alpha1.MaxRuntimeAnnotation, value: "90", reason: "InvalidMaxRuntime",
			says: `queueyard.io/max-runtime: "90" is no duration: write a number with a unit, such as 90s, 20m or 2h30m`},
		{name: "empty", key: v1alpha1.MaxRuntimeAnnotation, reason: "InvalidMaxRuntime", says: `"" is no duration`},
		{name: "nothing long", key: v1alpha1.MaxRuntimeAnnotation, value: "0s", reason: "InvalidMaxRuntime", says: `"0s" is not above 0`},
		{name: "negative", key: v1alpha1.MaxRuntimeAnnotation, value: "-1m", reason: "InvalidMaxRuntime", says: `"-1m" is not above 0`},
		{name: "preemptible", key: v1alpha1.PreemptibleAnnotation, value: "true"},
		{name: "not preemptible", key: v1alpha1.PreemptibleAnnotation, value: "false", fixed: true},
		{name: "neither", key: v1alpha1.PreemptibleAnnotation, value: "no", reason: "InvalidPreemptible",
			says: `queueyard.io/preemptible: "no" is neither "true" nor "false"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := Claim{}
			if tc.key != "" {
				c.Annotations = map[string]string{tc.key: tc.value}
			}
			refusal := CheckDeclarations(c)
			if tc.reason != "" {
				assert.Equal(t, tc.reason, refusal.Reason)
				assert.Contains(t, refusal.Message, tc.says)
				return
			}
			assert.Nil(t, refusal)
			runtime, _ := MaxRuntime(c.Annotations)
			preemptible, _ := Preemptible(c.Annotations)
			assert.Equal(t, tc.runtime, runtime)
			assert.Equal(t, !tc.fixed, preemptible)
		})
	}
}
