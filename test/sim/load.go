package sim

import (
	"errors"
	"fmt"
	"io"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// Load is what is asked of the queues.
type Load struct {
	// Seed of all that is random. The same seed gives the same load.
	Seed uint64 `json:"seed,omitempty"`
	// Until is when arrivals end. What has arrived by then still runs to its end.
	Until   metav1.Duration `json:"until,omitempty"`
	Streams []Stream        `json:"streams"`
}

// Stream is operations of one sort.
type Stream struct {
	// Name is unique. It chooses the stream's random numbers, so that one stream can be changed
	// without changing the others.
	Name string `json:"name"`
	// Queue and project, as the labels of an operation. Either may be empty: the queue is then the
	// project's default, its organization's or the cluster's.
	Queue   string `json:"queue,omitempty"`
	Project string `json:"project,omitempty"`
	// Priority inside the queue.
	Priority int64 `json:"priority,omitempty"`
	// Count of operations. 0: as many as arrive until the load ends.
	Count int64 `json:"count,omitempty"`
	// PodsPerOperation share a seat; unset is 1.
	PodsPerOperation int32 `json:"podsPerOperation,omitempty"`
	// Start is when the stream begins.
	Start   metav1.Duration `json:"start,omitempty"`
	Arrival Arrival         `json:"arrival,omitempty"`
	Runtime Runtime         `json:"runtime"`
	// Requests of each pod.
	Requests map[corev1.ResourceName]resource.Quantity `json:"requests,omitempty"`
}

// Arrival says when operations arrive. Nothing set: all at the start.
type Arrival struct {
	// PoissonPerHour is how many arrive in an hour on average, each independent of the others.
	PoissonPerHour float64 `json:"poissonPerHour,omitempty"`
	// Every is the time between two, the first at the start.
	Every metav1.Duration `json:"every,omitempty"`
}

// Runtime says how long the pods of an operation run, all of one operation equally long. Exactly one
// of its fields is set.
type Runtime struct {
	Fixed *metav1.Duration `json:"fixed,omitempty"`
	// Exponential is the mean.
	Exponential *metav1.Duration `json:"exponential,omitempty"`
	Lognormal   *Lognormal       `json:"lognormal,omitempty"`
}

// Lognormal is what many recorded run times look like: most are short, a few very long.
type Lognormal struct {
	Median metav1.Duration `json:"median"`
	// Sigma is the standard deviation of the logarithm: with 1, one in six runs is 2.7 times as long
	// as the median or longer, and one in six no longer than 1/2.7 of it.
	Sigma float64 `json:"sigma"`
}

// ReadLoad reads a load from YAML or JSON.
func ReadLoad(r io.Reader) (*Load, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	load := &Load{}
	if err := yaml.UnmarshalStrict(text, load); err != nil {
		return nil, err
	}
	return load, nil
}

func (l *Load) validate() error {
	var errs []error
	if len(l.Streams) == 0 {
		errs = append(errs, errors.New("the load has no streams: add at least one"))
	}
	if err := validTime("until", l.Until, 0); err != nil {
		errs = append(errs, err)
	}
	names := map[string]bool{}
	for i := range l.Streams {
		s := &l.Streams[i]
		where := fmt.Sprintf("stream %q", s.Name)
		switch {
		case s.Name == "":
			where = fmt.Sprintf("stream %d", i+1)
			errs = append(errs, fmt.Errorf("%s: name is missing", where))
		case names[s.Name]:
			errs = append(errs, fmt.Errorf("%s: another has the same name: choose a new one", where))
		}
		names[s.Name] = true
		for _, err := range s.problems(l.Until.Duration > 0) {
			errs = append(errs, fmt.Errorf("%s: %w", where, err))
		}
	}
	return errors.Join(errs...)
}

// The most that a stream may ask for at a time, so that sums stay far from the end of the numbers.
const (
	maxPods = 100_000
	// maxTime is a century: no load lasts longer.
	maxTime = 100 * 365 * 24 * hour
)

func (s *Stream) problems(ends bool) []error {
	var errs []error
	if s.Count < 0 {
		errs = append(errs, fmt.Errorf("count: %d must be 0 or more", s.Count))
	}
	if s.PodsPerOperation < 0 || s.PodsPerOperation > maxPods {
		errs = append(errs, fmt.Errorf("podsPerOperation: %d must be between 1 and %d", s.PodsPerOperation, maxPods))
	}
	errs = append(errs, validTime("start", s.Start, 0), s.Arrival.problem(), s.Runtime.problem())
	switch {
	case s.Count > 0:
	case !s.Arrival.spread():
		errs = append(errs, errors.New("count is missing: a stream that arrives all at once needs one"))
	case !ends:
		errs = append(errs, errors.New("the stream never ends: set its count, or until of the load"))
	}
	for name, q := range s.Requests {
		field := fmt.Sprintf("requests[%s]", name)
		if q.Sign() < 0 {
			errs = append(errs, fmt.Errorf("%s: %s must be 0 or more", field, q.String()))
		}
		errs = append(errs, notTooLarge(field, q))
	}
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

func (a *Arrival) spread() bool { return a.PoissonPerHour != 0 || a.Every.Duration != 0 }

func (a *Arrival) problem() error {
	switch {
	case a.PoissonPerHour != 0 && a.Every.Duration != 0:
		return errors.New("arrival: poissonPerHour and every exclude each other: set one")
	case !(a.PoissonPerHour >= 0 && a.PoissonPerHour <= maxPerHour):
		return fmt.Errorf("arrival.poissonPerHour: %v must be between 0 and %v", a.PoissonPerHour, float64(maxPerHour))
	case a.PoissonPerHour > 0 && a.PoissonPerHour < minPerHour:
		return fmt.Errorf("arrival.poissonPerHour: %v must be at least %v", a.PoissonPerHour, float64(minPerHour))
	}
	return validTime("arrival.every", a.Every, 0)
}

// Arrivals are told apart to the microsecond, and come at least about once a year.
const (
	maxPerHour = 3600e6
	minPerHour = 1e-4
)

func (r *Runtime) problem() error {
	set := 0
	for _, given := range []bool{r.Fixed != nil, r.Exponential != nil, r.Lognormal != nil} {
		if given {
			set++
		}
	}
	switch {
	case set != 1:
		return fmt.Errorf("runtime: %d of fixed, exponential and lognormal are set: set one", set)
	case r.Fixed != nil:
		return validTime("runtime.fixed", *r.Fixed, 0)
	case r.Exponential != nil:
		return validTime("runtime.exponential", *r.Exponential, 1)
	case !(r.Lognormal.Sigma >= 0 && r.Lognormal.Sigma <= 10):
		return fmt.Errorf("runtime.lognormal.sigma: %v must be between 0 and 10", r.Lognormal.Sigma)
	}
	return validTime("runtime.lognormal.median", r.Lognormal.Median, 1)
}
