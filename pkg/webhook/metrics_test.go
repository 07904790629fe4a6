package webhook

import (
	"context"
	"errors"
	"net/http"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

func TestFailuresAreCounted(t *testing.T) {
	for name, c := range map[string]struct {
		answer  func() admission.Response
		failure float64
	}{
		"allowed":   {func() admission.Response { return admission.Allowed("") }, 0},
		"refused":   {func() admission.Response { return deny(http.StatusForbidden, metav1.StatusReasonForbidden, "no") }, 0},
		"malformed": {func() admission.Response { return malformed(errors.New("no JSON")) }, 0},
		"failed":    {func() admission.Response { return answer(errors.New("the API server is slow")) }, 1},
		"panicked":  {func() admission.Response { panic("a bug") }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			handler := counted{admission.HandlerFunc(func(context.Context, admission.Request) admission.Response { return c.answer() }), name}
			func() {
				defer func() { _ = recover() }()
				handler.Handle(t.Context(), admission.Request{})
			}()
			var counter dto.Metric
			require.NoError(t, failures.WithLabelValues(name).Write(&counter))
			require.Equal(t, c.failure, counter.GetCounter().GetValue())
		})
	}
}
