package main

import (
	"context"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/test/perf/harness"
)

// flow is one run of operations through queues with seats.
type flow struct {
	Shape      harness.Shape `json:"shape"`
	Operations int           `json:"operations"`
	harness.Figures
	harness.Costs
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
	if err := s.watched.Await(ctx); err != nil {
		return f, err
	}
	if err := b.Quiet(ctx); err != nil { // the last ones are let go after they have succeeded
		return f, err
	}
	after, err := b.Read(ctx)
	if err != nil {
		return f, err
	}
	f.Figures, f.Costs = s.watched.Figures(), harness.CostsOf(before, after, n)
	say("%5s: %.1f finished/s, turnover %.0f/%.0f ms, %.1f writes, controller %.1f ms", shape, f.Succeeded, f.TurnoverP50, f.TurnoverP99, f.WritesSum, f.ControllerCPU)
	return f, nil
}
