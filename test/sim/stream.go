package sim

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const hour = time.Hour

func validTime(field string, d metav1.Duration, least time.Duration) error {
	if d.Duration < least || d.Duration > maxTime {
		return fmt.Errorf("%s: %s must be between %s and %s", field, d.Duration, least, time.Duration(maxTime))
	}
	return nil
}

// arrival is an operation that comes.
type arrival struct {
	at      time.Duration
	runtime time.Duration
	class   *class
}

// source yields arrivals in the order of their times; false: there are no more.
type source interface {
	next() (arrival, bool, error)
}

// streamSource draws a stream's operations as they are asked for. Arrivals and run times have random
// numbers of their own, so that changing one leaves the other as it was.
type streamSource struct {
	*Stream
	class    *class
	until    time.Duration // 0: until the count is reached
	arrivals *rand.Rand
	runtimes *rand.Rand
	yielded  int64
	at       time.Duration
}

func newStreamSource(load *Load, s *Stream, c *class) *streamSource {
	return &streamSource{
		Stream:   s,
		class:    c,
		until:    load.Until.Duration,
		arrivals: random(load.Seed, s.Name, "arrivals"),
		runtimes: random(load.Seed, s.Name, "runtimes"),
		at:       s.Start.Duration,
	}
}

func random(seed uint64, parts ...string) *rand.Rand {
	name := fnv.New64a()
	for _, part := range parts {
		// Writing to a hash cannot fail.
		fmt.Fprintf(name, "%s/", part)
	}
	return rand.New(rand.NewPCG(seed, name.Sum64()))
}

func (s *streamSource) next() (arrival, bool, error) {
	if s.Count > 0 && s.yielded == s.Count {
		return arrival{}, false, nil
	}
	switch {
	case s.Arrival.PoissonPerHour > 0:
		s.at += scale(s.arrivals.ExpFloat64()/s.Arrival.PoissonPerHour, hour, time.Microsecond)
	case s.yielded > 0:
		s.at += s.Arrival.Every.Duration
	}
	if s.at > maxTime || s.until > 0 && s.at > s.until {
		return arrival{}, false, nil
	}
	s.yielded++
	return arrival{at: s.at, runtime: s.Runtime.draw(s.runtimes), class: s.class}, true, nil
}

func (r *Runtime) draw(random *rand.Rand) time.Duration {
	switch {
	case r.Fixed != nil:
		return r.Fixed.Duration
	case r.Exponential != nil:
		return scale(random.ExpFloat64(), r.Exponential.Duration, time.Millisecond)
	}
	return scale(math.Exp(r.Lognormal.Sigma*random.NormFloat64()), r.Lognormal.Median.Duration, time.Millisecond)
}

// scale multiplies a duration and rounds it: far coarser than where processors differ in their last
// digits, so that a seed means the same on all of them.
func scale(factor float64, d, unit time.Duration) time.Duration {
	product := factor * float64(d)
	if product >= float64(maxTime) {
		return maxTime
	}
	return time.Duration(product).Round(unit)
}
