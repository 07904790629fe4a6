// Package controlplane runs etcd, kube-apiserver and Kubernetes' controllers in this process.
package controlplane

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
	cliflag "k8s.io/component-base/cli/flag"
	logsapi "k8s.io/component-base/logs/api/v1"

	"github.com/queueyard/queueyard/pkg/sandbox/layout"
)

// Options says where the control plane keeps its data and listens.
type Options struct {
	Dir  layout.Dir
	Port int
	// Address is where pods with a network of their own reach the API server. Empty: they do not.
	Address string
	// EtcdApart says that etcd runs in a process of its own.
	EtcdApart bool
}

// Run starts everything and returns when the context ends or one part fails; the parts cannot do without each other.
// The directory must be the working directory and hold the certificates already.
func Run(ctx context.Context, o Options) error {
	// Both Kubernetes components configure logging; the second must not fail because of the first.
	logsapi.ReapplyHandling = logsapi.ReapplyHandlingIgnoreUnchanged

	parts, ctx := errgroup.WithContext(ctx)
	if !o.EtcdApart {
		store, err := startEtcd(ctx, o.Dir)
		if err != nil {
			return err
		}
		// Last in, last out: the API server needs etcd until it has ended.
		defer store.Close()
		parts.Go(func() error { return lasts(ctx, store) })
	}
	parts.Go(func() error { return part(ctx, "kube-apiserver", runAPIServer(ctx, o)) })
	parts.Go(func() error {
		if err := waitForAPIServer(ctx, o.Dir); err != nil {
			return part(ctx, "kube-apiserver", err)
		}
		return part(ctx, "kube-controller-manager", runControllers(ctx, o))
	})
	return parts.Wait()
}

// RunEtcd runs etcd alone until the context ends or it fails. The directory must be the working directory.
func RunEtcd(ctx context.Context, dir layout.Dir) error {
	store, err := startEtcd(ctx, dir)
	if err != nil {
		return err
	}
	defer store.Close()
	return lasts(ctx, store)
}

// part names who failed, and treats an end without being asked as a failure.
func part(ctx context.Context, name string, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		err = errors.New("ended unexpectedly")
	}
	return fmt.Errorf("%s: %w", name, err)
}

func parseFlags(sets cliflag.NamedFlagSets, args []string) error {
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	for _, set := range sets.FlagSets {
		all.AddFlagSet(set)
	}
	return all.Parse(args)
}
