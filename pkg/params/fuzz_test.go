package params

import (
	"testing"

	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// FuzzParams gives an input of any type, pattern and default any value: the value is refused with a sentence, or has the type.
func FuzzParams(f *testing.F) {
	for _, kind := range []string{"", "int", "float", "string", "bool", "list", "map", "any", "nonsense"} {
		for _, value := range []string{"", "1", "1.5", `"x"`, "null", "[1]", `{"a": 1}`, "1e999", "-0", "99999999999999999999", "{"} {
			f.Add(kind, value, "", "")
			f.Add(kind, "", value, "^a+$")
		}
	}
	f.Fuzz(func(t *testing.T, kind, value, fallback, pattern string) {
		input := v1alpha1.Input{Name: "p", Type: v1alpha1.InputType(kind), Pattern: pattern}
		if fallback != "" {
			input.Default = &apiextensionsv1.JSON{Raw: []byte(fallback)}
		}
		given := v1alpha1.Values{}
		if value != "" {
			given["p"] = apiextensionsv1.JSON{Raw: []byte(value)}
		}
		inputs := []v1alpha1.Input{input}
		invalid := Validate(inputs, "spec.inputs")
		resolved, errs := Resolve(inputs, given, "spec.params")
		if len(invalid) > 0 || len(errs) > 0 {
			return
		}
		got, is := resolved["p"]
		require.True(t, is)
		_, has := As(got, TypesOf(inputs)["p"])
		require.True(t, has, "%T %v", got, got)
		require.Less(t, len(Quote(got)), 1024)
	})
}
