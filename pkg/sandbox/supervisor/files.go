package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/queueyard/queueyard/pkg/sandbox/layout"
	"github.com/queueyard/queueyard/pkg/sandbox/process"
)

// Component is one process to keep running.
type Component struct {
	Name    string       `json:"name"`
	Process process.Spec `json:"process"`
}

// State is what a component does.
type State string

const (
	// Running means that its process lives; whether it is ready, the component itself says.
	Running State = "Running"
	// BackingOff means that it died and will be started again.
	BackingOff State = "BackingOff"
	// Stopped means that it does not run because the sandbox does not.
	Stopped State = "Stopped"
)

// Status is what is known of one component.
type Status struct {
	Name     string    `json:"name"`
	State    State     `json:"state"`
	PID      int       `json:"pid,omitempty"`
	Restarts int       `json:"restarts"`
	Since    time.Time `json:"since"`
	// LastExit says how it ended the last time.
	LastExit string `json:"lastExit,omitempty"`
}

// ReadComponents is the list of components; a sandbox that never started has none.
func ReadComponents(dir layout.Dir) ([]Component, error) {
	var components []Component
	return components, readJSON(dir.Components(), &components)
}

// WriteComponents replaces the list; a running supervisor looks at it when told to with Reload.
func WriteComponents(dir layout.Dir, components []Component) error {
	return writeJSON(dir.Components(), components)
}

// ReadStatus is what the supervisor last wrote. It is only true while a supervisor lives.
func ReadStatus(dir layout.Dir) ([]Status, error) {
	var status []Status
	return status, readJSON(dir.Status(), &status)
}

func readJSON(path string, into any) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s is damaged: %w", path, err)
	}
	return nil
}

// writeJSON replaces the file in one step, so that a reader never sees half of it.
func writeJSON(path string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".tmp-")
	if err != nil {
		return err
	}
	_, err = file.Write(append(data, '\n'))
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(file.Name()))
	}
	return err
}
