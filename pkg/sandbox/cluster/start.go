package cluster

import (
	"context"

	"k8s.io/client-go/rest"

	"github.com/queueyard/queueyard/pkg/sandbox/layout"
	"github.com/queueyard/queueyard/pkg/sandbox/process"
)

// Running is a control plane started by this process.
type Running struct {
	*process.Process
	State  *State
	Config *rest.Config
}

// Start runs a control plane in dir as a child of this process and waits until it is ready. About address see Prepare.
func Start(ctx context.Context, dir layout.Dir, binDir, address string) (*Running, error) {
	state, err := Prepare(dir, address)
	if err != nil {
		return nil, err
	}
	spec, err := ControlPlaneProcess(dir, state, binDir)
	if err != nil {
		return nil, err
	}
	config, err := AdminConfig(dir)
	if err != nil {
		return nil, err
	}
	p, err := process.Start(spec)
	if err != nil {
		return nil, err
	}
	if err := WaitReady(ctx, config, p.Done()); err != nil {
		p.Stop(0)
		return nil, err
	}
	return &Running{Process: p, State: state, Config: config}, nil
}
