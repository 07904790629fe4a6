package expression

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// podTemplate has ten expressions, as a training pod's would.
func podTemplate() map[string]any {
	return map[string]any{
		"metadata": map[string]any{"labels": map[string]any{"app": "{{ params.name }}", "run": "{{ globals.name }}-{{ globals.index }}"}},
		"spec": map[string]any{
			"restartPolicy": "Never",
			"containers": []any{map[string]any{
				"name": "main", "image": "registry.example/train:{{ params.name }}", "command": []any{"python", "train.py"},
				"args": []any{"--lr={{ params.lr * 2 }}", "--epochs={{ params.epochs }}", "--batch={{ params['batch-size'] }}", "--warm={{ ops.train.outputs.acc > 0.9 ? 'yes' : 'no' }}", "--attempt={{ globals.attempt }}"},
				"env": []any{
					map[string]any{"name": "NAMESPACE", "value": "{{ globals.namespace }}"},
					map[string]any{"name": "HOME", "value": "$(HOME_DIR)"},
				},
				"resources": map[string]any{"requests": map[string]any{"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"}},
			}},
		},
	}
}

func BenchmarkRender(b *testing.B) {
	template, errs := Compile(podTemplate(), "spec.template.pod", environment(b))
	require.NoError(b, errs.Err())
	v := values()
	b.ReportAllocs()
	for b.Loop() {
		if _, errs := template.Render(context.Background(), v); len(errs) > 0 {
			b.Fatal(errs)
		}
	}
}

func BenchmarkRenderParallel(b *testing.B) {
	template, errs := Compile(podTemplate(), "spec.template.pod", environment(b))
	require.NoError(b, errs.Err())
	b.RunParallel(func(pb *testing.PB) {
		v := values()
		for pb.Next() {
			if _, errs := template.Render(context.Background(), v); len(errs) > 0 {
				b.Error(errs)
				return
			}
		}
	})
}

// Children of one workflow: the environment and the expressions are known.
func BenchmarkCompileAgain(b *testing.B) {
	tree := podTemplate()
	b.ReportAllocs()
	for b.Loop() {
		e, err := NewEnvironment(declared)
		if err != nil {
			b.Fatal(err)
		}
		if _, errs := Compile(tree, "spec", e); len(errs) > 0 {
			b.Fatal(errs)
		}
	}
}

// Admission of something new: neither is known.
func BenchmarkCompileNew(b *testing.B) {
	tree := podTemplate()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		d := declared
		d.Variables = map[string]Type{fmt.Sprintf("v%d", i): "any"}
		e, err := NewEnvironment(d)
		if err != nil {
			b.Fatal(err)
		}
		if _, errs := Compile(tree, "spec", e); len(errs) > 0 {
			b.Fatal(errs)
		}
	}
}

func BenchmarkCondition(b *testing.B) {
	c, errs := CompileCondition("ops.train.outputs.acc > 0.9 && params.epochs >= 3", "when", environment(b))
	require.NoError(b, errs.Err())
	v := values()
	for b.Loop() {
		if _, err := c.Evaluate(context.Background(), v); err != nil {
			b.Fatal(err)
		}
	}
}
