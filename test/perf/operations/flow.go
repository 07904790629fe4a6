package main

import (
	"context"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/sandbox"
	"github.com/queueyard/queueyard/test/perf/harness"
)

// flow is one run of operations through queues with seats.
type flow struct {
	Shape      harness.Shape `json:"shape"`
	Operations int           `json:"operations"`
	figures
	costs
}

// costs are what one operation costs.
type costs struct {
	Writes          map[string]float64 `json:"writes"`
	WritesSum       float64            `json:"writesSum"`
	Requests        map[string]float64 `json:"controllerRequests"`
	ControllerCPU   float64            `json:"controllerCPUMs"`
	SchedulerCPU    float64            `json:"schedulerCPUMs"`
	ControlPlaneCPU float64            `json:"controlPlaneCPUMs"`
	ControllerRSS   float64            `json:"controllerRSSMiB"`
	SchedulerRSS    float64            `json:"schedulerRSSMiB"`
}

func costsOf(before, after harness.Reading, n int) costs {
	c := costs{
		ControllerCPU:   after.CPUSince(before, sandbox.Controller, n),
		SchedulerCPU:    after.CPUSince(before, sandbox.Scheduler, n),
		ControlPlaneCPU: after.CPUSince(before, sandbox.ControlPlane, n),
		ControllerRSS:   after.RSS[sandbox.Controller],
		SchedulerRSS:    after.RSS[sandbox.Scheduler],
	}
	c.Writes, c.WritesSum = harness.Each(before.Writes, after.Writes, n)
	c.Requests, _ = harness.Each(before.Controller.Requests, after.Controller.Requests, n)
	return c
}

// flow sends operations through queues. They open when two turns of their seats wait, and the others
// are created meanwhile.
func (b *bench) flow(ctx context.Context, shape harness.Shape, n int) (flow, error) {
	f := flow{Shape: shape, Operations: n}
	s, err := b.start(ctx, harness.QueueNames(shape.Queues), shape.Seats, n, n)
	if err != nil {
		return f, err
	}
	defer s.stop()
	if err := s.set(ctx, shape.Seats, v1alpha1.QueuePaused); err != nil {
		return f, err
	}
	before, err := b.Read(ctx)
	if err != nil {
		return f, err
	}
	ahead := min(n, 2*shape.Queues*shape.Seats)
	if err := s.create(ctx, 0, ahead); err != nil {
		return f, err
	}
	if err := s.set(ctx, shape.Seats, v1alpha1.QueueOpen); err != nil {
		return f, err
	}
	if err := s.create(ctx, ahead, n); err != nil {
		return f, err
	}
	if err := await(ctx, s.watched.Done); err != nil {
		return f, err
	}
	if err := b.rest(ctx); err != nil { // the last ones are let go after they have succeeded
		return f, err
	}
	after, err := b.Read(ctx)
	if err != nil {
		return f, err
	}
	f.figures, f.costs = s.watched.figures(), costsOf(before, after, n)
	say("%5s: %.1f finished/s, turnover %.0f/%.0f ms, %.1f writes, controller %.1f ms", shape, f.Finished, f.TurnoverP50, f.TurnoverP99, f.WritesSum, f.ControllerCPU)
	return f, nil
}
