package refusal

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func TestRefusals(t *testing.T) {
	forbidden := func(why string) error {
		return fmt.Errorf("wrapped: %w", apierrors.NewForbidden(corev1.Resource("pods"), "train", errors.New(why)))
	}
	for _, c := range []struct {
		err             error
		forNow, forGood bool
		reason          string
	}{
		{forbidden("exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2"), true, false, v1alpha1.ReasonResourceQuotaExceeded},
		{forbidden("unable to create new content in namespace team because it is being terminated"), true, false, v1alpha1.ReasonNamespaceTerminating},
		{forbidden("status unknown for quota: q, resources: pods"), true, false, v1alpha1.ReasonFailedCreate},
		{forbidden("not yet ready to handle request"), true, false, v1alpha1.ReasonFailedCreate},
		{forbidden("failed quota: q: must specify limits.cpu for: main"), false, true, v1alpha1.ReasonFailedCreate},
		{forbidden(`violates PodSecurity "restricted:latest": privileged`), false, true, v1alpha1.ReasonFailedCreate},
		{apierrors.NewNotFound(corev1.Resource("namespaces"), "early"), true, false, v1alpha1.ReasonFailedCreate},
		{apierrors.NewNotFound(corev1.Resource("configmaps"), "early"), false, false, v1alpha1.ReasonFailedCreate},
		{apierrors.NewBadRequest("no"), false, true, v1alpha1.ReasonFailedCreate},
		{apierrors.NewInternalError(errors.New("failed calling webhook")), false, false, v1alpha1.ReasonFailedCreate},
		{errors.New("connection refused"), false, false, v1alpha1.ReasonFailedCreate},
	} {
		assert.Equal(t, c.forNow, ForNow(c.err), c.err)
		assert.Equal(t, c.forGood, ForGood(c.err), c.err)
		reason, message := Why(Said(c.err))
		assert.Equal(t, c.reason, reason, c.err)
		assert.NotContains(t, message, "wrapped")
	}
	assert.False(t, ForNow(nil))
	assert.False(t, ForGood(nil))
}
