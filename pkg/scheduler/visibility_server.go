package scheduler

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/client-go/rest"
	basecompatibility "k8s.io/component-base/compatibility"
	"k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"
	schedulerserverconfig "k8s.io/kubernetes/cmd/kube-scheduler/app/config"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"

	"github.com/queueyard/queueyard/pkg/visibility"
)

// serveVisibility has others look into the room, on a port of its own: kube-scheduler's takes no more
// handlers. Who they are and what they may do is found out as on that port.
func (r *Room) serveVisibility(ctx context.Context, opts *options.Options, visible *visibility.Options, cc *schedulerserverconfig.CompletedConfig) error {
	if len(r.profiles) == 0 || !visible.Enabled {
		return nil
	}
	if err := visible.Validate(); err != nil {
		return err
	}
	if cc.SecureServing == nil {
		return errors.New("--secure-port is 0, so nothing says how clients authenticate: set it, or give --visibility=false")
	}
	window, err := r.newWindow(cc.InformerFactory.Core().V1().Pods().Informer())
	if err != nil {
		return err
	}
	config := rest.CopyConfig(cc.KubeConfig)
	aggregator, err := clientset.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making a client for APIServices: %w", err)
	}
	server, err := visibility.Listen(visible, visibility.Delegation{
		SecureServing:  opts.SecureServing,
		Authentication: opts.Authentication,
		Authorization:  opts.Authorization,
		Version:        opts.ComponentGlobalsRegistry.EffectiveVersionFor(basecompatibility.DefaultKubeComponent),
	}, window)
	if err != nil {
		return err
	}
	go server.Run(ctx)
	r.announce = func(ctx context.Context) {
		r.serving.Store(true)
		defer r.serving.Store(false)
		server.Publish(ctx, cc.Client, aggregator)
	}
	return nil
}
