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
}

// Ports are all on the loopback address.
type Ports struct {
	APIServer         int `json:"apiServer"`
	Kubelet           int `json:"kubelet"`
	Scheduler         int `json:"scheduler"`
	ControllerWebhook int `json:"controllerWebhook"`
	ControllerHealth  int `json:"controllerHealth"`
	ControllerMetrics int `json:"controllerMetrics"`
}

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
func ensureState(dir layout.Dir) (*State, error) {
	state, err := ReadState(dir)
	if errors.Is(err, os.ErrNotExist) {
		state, err = &State{Kind: stateKind}, nil
	}
	if err != nil {
		return nil, err
	}
	p := &state.Ports
	err = choosePorts(&p.APIServer, &p.Kubelet, &p.Scheduler,
		&p.ControllerWebhook, &p.ControllerHealth, &p.ControllerMetrics)
	if err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return nil, err
	}
	return state, os.WriteFile(dir.State(), append(data, '\n'), 0o600)
}
