package operation

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// What holds where neither the operation nor its component says anything.
const (
	defaultInitialBackoff = 10 * time.Second
	defaultMaxBackoff     = 5 * time.Minute
	defaultStartTimeout   = 5 * time.Minute
	defaultMaxLost        = 100
)

// Policy is a termination with its defaults.
type Policy struct {
	MaxRetries int32
	// MaxLost bounds how often in a row the cluster may take a run away.
	MaxLost                    int32
	InitialBackoff, MaxBackoff time.Duration
	// Timeout, QueueTimeout and TTL are nil where there is none.
	Timeout, QueueTimeout, TTL *time.Duration
	StartTimeout               time.Duration
}

// PolicyOf joins terminations, field by field; those named first win.
func PolicyOf(terminations ...*v1alpha1.Termination) Policy {
	p := Policy{MaxLost: defaultMaxLost, InitialBackoff: defaultInitialBackoff, MaxBackoff: defaultMaxBackoff, StartTimeout: defaultStartTimeout}
	for i := len(terminations) - 1; i >= 0; i-- {
		t := terminations[i]
		if t == nil {
			continue
		}
		if t.MaxRetries != nil {
			p.MaxRetries = *t.MaxRetries
		}
		if t.Backoff != nil {
			set(&p.InitialBackoff, t.Backoff.Initial)
			set(&p.MaxBackoff, t.Backoff.Max)
		}
		set(&p.StartTimeout, t.StartTimeout)
		setOptional(&p.Timeout, t.Timeout)
		setOptional(&p.QueueTimeout, t.QueueTimeout)
		setOptional(&p.TTL, t.TTL)
	}
	return p
}

// Once is the policy of what somebody else repeats and deletes.
func (p Policy) Once() Policy {
	p.MaxRetries, p.MaxLost, p.TTL = 0, 0, nil
	return p
}

func set(to *time.Duration, from *metav1.Duration) {
	if from != nil {
		*to = from.Duration
	}
}

func setOptional(to **time.Duration, from *metav1.Duration) {
	if from != nil {
		*to = &from.Duration
	}
}

// backoff is the pause before the n-th repetition, from 1.
func (p Policy) backoff(n int32) time.Duration {
	pause := p.InitialBackoff
	for ; n > 1 && pause < p.MaxBackoff; n-- {
		pause *= 2
	}
	return min(pause, p.MaxBackoff)
}
