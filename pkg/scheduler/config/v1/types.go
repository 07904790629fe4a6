// Package v1 is the written form of the QueueGate plugin's arguments (kubescheduler.config.k8s.io/v1).
//
// +kubebuilder:object:generate=true
package v1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// QueueGateArgs are the arguments of the QueueGate plugin.
//
// +kubebuilder:object:root=true
type QueueGateArgs struct {
	metav1.TypeMeta `json:",inline"`

	// DefaultQueue is the queue of pods that name none and whose project and organization set none.
	// Default: default.
	DefaultQueue *string `json:"defaultQueue,omitempty"`
	// AdmissionTimeout is how long an admitted pod that no node fits keeps its room when nobody
	// else waits for it. Default: 1m.
	AdmissionTimeout *metav1.Duration `json:"admissionTimeout,omitempty"`
	// InitialBackoff is how long a pod that gave its room back for want of a node stays out of the
	// line the first time; it doubles with every attempt. Default: 1s.
	InitialBackoff *metav1.Duration `json:"initialBackoff,omitempty"`
	// MaxBackoff bounds the doubling. Default: 5m.
	MaxBackoff *metav1.Duration `json:"maxBackoff,omitempty"`
	// StarvationTimeout is how long the head of a queue may wait while others are admitted past it before
	// room is held for it, so that it gathers. 0s: room is never held. Default: 5m.
	StarvationTimeout *metav1.Duration `json:"starvationTimeout,omitempty"`
	// ReportDelay is how long a pod waits before its reason is written to it as a condition and an
	// event. Default: 2s.
	ReportDelay *metav1.Duration `json:"reportDelay,omitempty"`
	// ReportQPS bounds how many waiting pods have their reason written per second. Default: 10.
	ReportQPS *int32 `json:"reportQPS,omitempty"`
}
