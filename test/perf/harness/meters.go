package harness

import (
	"context"
	"fmt"
	"time"
)

// Reading is what the meters show at one moment.
type Reading struct {
	Writes map[string]float64 // that the API server has done, by verb and resource
	CPU    map[string]time.Duration
	RSS    map[string]float64 // MiB

	Controller Inside
}

// Read reads all meters.
func (c *Cluster) Read(ctx context.Context) (Reading, error) {
	r := Reading{CPU: map[string]time.Duration{}, RSS: map[string]float64{}}
	pids, err := c.PIDs()
	if err != nil {
		return r, err
	}
	for component, pid := range pids {
		if r.CPU[component], err = cpuTime(pid); err == nil {
			r.RSS[component], err = residentSize(pid)
		}
		if err != nil {
			return r, fmt.Errorf("%s: %w", component, err)
		}
	}
	if r.Controller, err = c.Controller(ctx); err != nil {
		return r, err
	}
	r.Writes, err = c.Writes(ctx)
	return r, err
}

// CPUSince is the milliseconds of CPU time that a component has used for each of n since a reading.
func (r Reading) CPUSince(before Reading, component string, n int) float64 {
	return float64((r.CPU[component] - before.CPU[component]).Microseconds()) / 1000 / float64(n)
}
