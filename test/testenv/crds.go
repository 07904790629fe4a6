package testenv

import (
	"context"

	"github.com/queueyard/queueyard/manifests"
	"github.com/queueyard/queueyard/pkg/sandbox/install"
)

// InstallCRDs applies manifests/install/crds and waits until the API server serves them.
func (e *Env) InstallCRDs(ctx context.Context) error {
	return install.CRDs(ctx, e.Config, manifests.Install)
}
