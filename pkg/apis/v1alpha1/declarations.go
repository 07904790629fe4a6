package v1alpha1

// What pods declare of themselves, as annotations. On the pod template of a Job they are its pods'.
const (
	// MaxRuntimeAnnotation is how long a pod runs at most ("20m"): a Go duration above 0. Nothing ends the
	// pod then; who declares too little delays others.
	MaxRuntimeAnnotation = "queueyard.io/max-runtime"
	// PreemptibleAnnotation, "false", keeps a pod's operation from being evicted for queues that preempt.
	PreemptibleAnnotation = "queueyard.io/preemptible"
)
