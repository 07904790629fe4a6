// Package config holds the arguments of the QueueGate plugin, in the scheduler's own configuration
// group, so that they are written and checked like those of any other plugin.
//
// +kubebuilder:object:generate=true
package config

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// QueueGateArgs are the arguments of the QueueGate plugin. Profiles that enable QueueGate in one
// scheduler share one ledger and must have the same arguments.
//
// +kubebuilder:object:root=true
type QueueGateArgs struct {
	metav1.TypeMeta

	// DefaultQueue is the queue of pods that name none and whose project and organization set none.
	DefaultQueue string
	// AdmissionTimeout is how long an admitted pod that no node fits keeps its room when nobody
	// else waits for it. When somebody does, it gives it back at once.
	AdmissionTimeout metav1.Duration
	// InitialBackoff and MaxBackoff bound how long a pod that gave its room back stays out of the
	// line; it doubles with every attempt.
	InitialBackoff metav1.Duration
	MaxBackoff     metav1.Duration
	// StarvationTimeout is how long the head of a queue may wait while others are admitted past it before
	// room is held for it. 0: room is never held.
	StarvationTimeout metav1.Duration
	// ReportDelay is how long a pod waits before its reason is written to it.
	ReportDelay metav1.Duration
	// ReportQPS bounds how many waiting pods have their reason written per second.
	ReportQPS int32
}
