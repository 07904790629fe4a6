package flow

import (
	"cmp"
	"slices"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Load is how many operations waited and ran over time.
type Load struct {
	// Points are [milliseconds of Unix time, waiting, running]: what holds from then on.
	Points [][3]int64 `json:"points"`
	// Peak of those that ran.
	Peak int64 `json:"peak"`
}

// maxPoints bounds the points of a load: a screen shows no more.
const maxPoints = 240

// loadOf counts operations over time. Where there are too many points, each stands for the most within its time.
func loadOf(operations []*v1alpha1.Operation) Load {
	type change struct {
		at               int64
		waiting, running int64
	}
	var changes []change
	for _, o := range operations {
		for _, s := range spansOf(o.Status.Timeline) {
			c := change{at: s.From}
			switch s.Kind {
			case Waiting:
				c.waiting = 1
			case Starting, Running:
				c.running = 1
			default:
				continue
			}
			changes = append(changes, c)
			if s.To != 0 {
				changes = append(changes, change{s.To, -c.waiting, -c.running})
			}
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Compare(a.at, b.at) })
	load := Load{Points: [][3]int64{}}
	var waiting, running int64
	for i, c := range changes {
		waiting, running = waiting+c.waiting, running+c.running
		if i+1 < len(changes) && changes[i+1].at == c.at {
			continue
		}
		load.Points = append(load.Points, [3]int64{c.at, waiting, running})
		load.Peak = max(load.Peak, running)
	}
	load.Points = thinned(load.Points)
	return load
}

// thinned keeps the most of each stretch of time. The last point is what holds now, and stays as it is.
func thinned(points [][3]int64) [][3]int64 {
	if len(points) <= maxPoints {
		return points
	}
	first, last := points[0][0], points[len(points)-1]
	width := (last[0]-first)/maxPoints + 1
	var out [][3]int64
	var holds [3]int64 // at the beginning of a stretch
	i := 0
	for begin := first; begin <= last[0]; begin += width {
		most := [3]int64{begin, holds[1], holds[2]}
		for ; i < len(points)-1 && points[i][0] < begin+width; i++ {
			holds = points[i]
			most[1], most[2] = max(most[1], holds[1]), max(most[2], holds[2])
		}
		if n := len(out); n == 0 || out[n-1][1] != most[1] || out[n-1][2] != most[2] {
			out = append(out, most)
		}
	}
	return append(out, last)
}
