package sim

import (
	"errors"
	"fmt"
	"io"
	"math/bits"

	corev1 "k8s.io/api/core/v1"
)

// Mapping says which queue the jobs of a trace go to: that of the By field, named like user-12, or
// else one queue for all.
type Mapping struct {
	By    By
	Queue string
}

// By is the field of a job that names its queue.
type By string

// The fields that can name a queue.
const (
	ByUser  By = "user"
	ByGroup By = "group"
	ByQueue By = "queue"
)

// Validate says whether the mapping can be used.
func (m Mapping) Validate() error {
	switch {
	case m.By != "" && m.Queue != "":
		return errors.New("a trace goes to one queue, or to one for each user, group or queue: choose one of the two")
	case m.By == "" && m.Queue == "":
		return errors.New("where a trace goes is missing: name a queue, or one of user, group and queue")
	case m.By != "" && m.By != ByUser && m.By != ByGroup && m.By != ByQueue:
		return fmt.Errorf("a trace cannot be mapped by %q: use %s, %s or %s", m.By, ByUser, ByGroup, ByQueue)
	}
	return nil
}

func (m Mapping) queueOf(j *Job) string {
	number := int64(0)
	switch m.By {
	case ByUser:
		number = j.User
	case ByGroup:
		number = j.Group
	case ByQueue:
		number = j.Queue
	default:
		return m.Queue
	}
	if number < 0 {
		return string(m.By) + "-unknown"
	}
	return fmt.Sprintf("%s-%d", m.By, number)
}

// AddTrace adds the jobs of a trace: each is an operation of one pod that asks for the job's
// processors and memory. Jobs that never ran are skipped, and so are the parts of jobs that were
// interrupted, for each has a line for its whole.
func (s *Simulation) AddTrace(t *Trace, m Mapping) error {
	if err := m.Validate(); err != nil {
		return err
	}
	return s.addSource(&replay{trace: t, mapping: m, simulation: s})
}

// replay is a trace as a source.
type replay struct {
	trace      *Trace
	mapping    Mapping
	simulation *Simulation
}

func (r *replay) next() (arrival, bool, error) {
	for {
		job, err := r.trace.Next()
		if errors.Is(err, io.EOF) {
			return arrival{}, false, nil
		}
		if err != nil {
			return arrival{}, false, err
		}
		if job.Run < 0 || partial(job.Status) {
			r.simulation.skipped++
			continue
		}
		c, err := r.class(&job)
		if err != nil {
			return arrival{}, false, r.trace.at(err)
		}
		return arrival{at: job.Submit, runtime: job.Run, class: c}, true, nil
	}
}

// partial is the statuses of the parts of a job: to be continued, the last part, failed.
func partial(status int64) bool { return status >= 2 && status <= 4 }

func (r *replay) class(j *Job) (*class, error) {
	processors := known(j.RequestProcessors, j.Processors)
	memory, err := memoryOf(processors, known(j.RequestMemory, j.Memory))
	if err != nil {
		return nil, err
	}
	queue := r.mapping.queueOf(j)
	key := fmt.Sprintf("%s %d %d", queue, processors, memory)
	if c := r.simulation.classes[key]; c != nil {
		return c, nil
	}
	c, err := r.simulation.newClass(class{
		name:     fmt.Sprintf("job %d", j.Number),
		pods:     1,
		requests: map[string]int64{string(corev1.ResourceCPU): processors * 1000, string(corev1.ResourceMemory): memory, string(corev1.ResourcePods): 1},
	}, queue)
	if err != nil {
		return nil, err
	}
	r.simulation.classes[key] = c
	return c, nil
}

// known is the first that is known and not zero, or 0.
func known(values ...int64) int64 {
	for _, v := range values {
		if v > 0 {
			return v
		}
	}
	return 0
}

// memoryOf is the memory of all processors of a job.
func memoryOf(processors, kilobytes int64) (int64, error) {
	high, low := bits.Mul64(uint64(max(processors, 1)), uint64(kilobytes)*1024)
	if high > 0 || low > uint64(largest.Value()) {
		return 0, fmt.Errorf("%d processors with %d KB each: more than %s of memory", processors, kilobytes, largest.String())
	}
	return int64(low), nil
}
