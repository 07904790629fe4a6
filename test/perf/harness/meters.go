package harness

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/queueyard/queueyard/pkg/sandbox"
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

// CPU is the time that all components have used.
func (c *Cluster) CPU() (sum time.Duration, err error) {
	pids, err := c.PIDs()
	if err != nil {
		return 0, err
	}
	for component, pid := range pids {
		used, err := cpuTime(pid)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", component, err)
		}
		sum += used
	}
	return sum, nil
}

// CPUSince is the milliseconds of CPU time that a component has used for each of n since a reading.
func (r Reading) CPUSince(before Reading, component string, n int) float64 {
	return float64((r.CPU[component] - before.CPU[component]).Microseconds()) / 1000 / float64(n)
}

// Costs are what one operation costs.
type Costs struct {
	Writes          map[string]float64 `json:"writes"`
	WritesSum       float64            `json:"writesSum"`
	Requests        map[string]float64 `json:"controllerRequests"`
	ControllerCPU   float64            `json:"controllerCPUMs"`
	SchedulerCPU    float64            `json:"schedulerCPUMs"`
	ControlPlaneCPU float64            `json:"controlPlaneCPUMs"`
	ControllerRSS   float64            `json:"controllerRSSMiB"`
	SchedulerRSS    float64            `json:"schedulerRSSMiB"`
}

// CostsOf n operations between two readings.
func CostsOf(before, after Reading, n int) Costs {
	c := Costs{
		ControllerCPU:   after.CPUSince(before, sandbox.Controller, n),
		SchedulerCPU:    after.CPUSince(before, sandbox.Scheduler, n),
		ControlPlaneCPU: after.CPUSince(before, sandbox.ControlPlane, n),
		ControllerRSS:   after.RSS[sandbox.Controller],
		SchedulerRSS:    after.RSS[sandbox.Scheduler],
	}
	c.Writes, c.WritesSum = Each(before.Writes, after.Writes, n)
	c.Requests, _ = Each(before.Controller.Requests, after.Controller.Requests, n)
	return c
}

// Counts are the writes of all clients, and the controller's own requests.
func (c Costs) Counts() map[string]float64 {
	counts := maps.Clone(c.Writes)
	for method, n := range c.Requests {
		counts["requests of the controller: "+method] = n
	}
	return counts
}
