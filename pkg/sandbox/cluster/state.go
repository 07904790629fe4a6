// Package cluster prepares and starts the control plane of a sandbox: ports, certificates, kubeconfigs and the
// process itself. The sandbox command and the tests use the same functions.
package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/queueyard/queueyard/pkg/sandbox/layout"
)

// State is what a sandbox remembers between two runs.
type State struct {
	// Kind tells a sandbox's directory from any other.
	Kind  string `json:"kind"`
	Ports Ports  `json:"ports"`
	// Address is where the API server is reached from outside the loopback, from pods with a network of their own.
	// Empty: not at all.
	Address string `json:"address,omitempty"`
}

// Ports are all on the loopback address.
type Ports struct {
	APIServer         int `json:"apiServer"`
	Kubelet           int `json:"kubelet"`
	ControllerWebhook int `json:"controllerWebhook"`
	ControllerHealth  int `json:"controllerHealth"`
	ControllerMetrics int `json:"controllerMetrics"`
	// Schedulers has those of each replica.
	Schedulers []SchedulerPorts `json:"schedulers,omitempty"`
}

// SchedulerPorts are those of one replica of the scheduler.
type SchedulerPorts struct {
	// Secure serves health and metrics.
	Secure int `json:"secure"`
}

// pointers are all ports of the replica.
func (p *SchedulerPorts) pointers() []*int { return []*int{&p.Secure} }

const stateKind = "queueyard-sandbox"

// ReadState reads the state of an existing sandbox. A directory without one gives an error that is fs.ErrNotExist.
func ReadState(dir layout.Dir) (*State, error) {
	data, err := os.ReadFile(dir.State())
	if err != nil {
		return nil, err
	}
	state := &State{}
	if err := json.Unmarshal(data, state); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", dir.State(), err)
	}
	if state.Kind != stateKind {
		return nil, fmt.Errorf("%s is not the state of a sandbox: kind %q instead of %q", dir.State(), state.Kind, stateKind)
	}
	return state, nil
}

// ensureState reads the state or begins a new one, and replaces ports that another program has taken meanwhile.
func ensureState(dir layout.Dir, address string) (*State, error) {
	state, err := ReadState(dir)
	if errors.Is(err, os.ErrNotExist) {
		state, err = &State{Kind: stateKind}, nil
	}
	if err != nil {
		return nil, err
	}
	state.Address = address
	p := &state.Ports
	ports := []*int{&p.APIServer, &p.Kubelet, &p.ControllerWebhook, &p.ControllerHealth, &p.ControllerMetrics}
	for i := range p.Schedulers {
		ports = append(ports, p.Schedulers[i].pointers()...)
	}
	if err := choosePorts(ports...); err != nil {
		return nil, err
	}
	return state, state.write(dir)
}

// EnsureSchedulers gives ports to so many replicas of the scheduler. Those that have some keep them.
func (s *State) EnsureSchedulers(dir layout.Dir, replicas int) error {
	if len(s.Ports.Schedulers) >= replicas {
		return nil
	}
	for len(s.Ports.Schedulers) < replicas {
		ports := SchedulerPorts{}
		if err := choosePorts(ports.pointers()...); err != nil {
			return err
		}
		s.Ports.Schedulers = append(s.Ports.Schedulers, ports)
	}
	return s.write(dir)
}

func (s *State) write(dir layout.Dir) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(dir.State(), append(data, '\n'), 0o600)
}
