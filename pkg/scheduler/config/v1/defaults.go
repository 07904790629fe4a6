package v1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/scheduler/config"
)

// SetDefaults fills what is not set.
func SetDefaults(args *QueueGateArgs) {
	setDefault(&args.DefaultQueue, v1alpha1.DefaultName)
	setDefault(&args.AdmissionTimeout, metav1.Duration{Duration: time.Minute})
	setDefault(&args.InitialBackoff, metav1.Duration{Duration: time.Second})
	setDefault(&args.MaxBackoff, metav1.Duration{Duration: 5 * time.Minute})
	setDefault(&args.StarvationTimeout, metav1.Duration{Duration: 5 * time.Minute})
	setDefault(&args.ReportDelay, metav1.Duration{Duration: 2 * time.Second})
	setDefault(&args.ReportQPS, 10)
}

func setDefault[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}

func toInternal(in *QueueGateArgs, out *config.QueueGateArgs) {
	out.DefaultQueue = ptr.Deref(in.DefaultQueue, "")
	out.AdmissionTimeout = ptr.Deref(in.AdmissionTimeout, metav1.Duration{})
	out.InitialBackoff = ptr.Deref(in.InitialBackoff, metav1.Duration{})
	out.MaxBackoff = ptr.Deref(in.MaxBackoff, metav1.Duration{})
	out.StarvationTimeout = ptr.Deref(in.StarvationTimeout, metav1.Duration{})
	out.ReportDelay = ptr.Deref(in.ReportDelay, metav1.Duration{})
	out.ReportQPS = ptr.Deref(in.ReportQPS, 0)
}

func fromInternal(in *config.QueueGateArgs, out *QueueGateArgs) {
	out.DefaultQueue = &in.DefaultQueue
	out.AdmissionTimeout = &in.AdmissionTimeout
	out.InitialBackoff = &in.InitialBackoff
	out.MaxBackoff = &in.MaxBackoff
	out.StarvationTimeout = &in.StarvationTimeout
	out.ReportDelay = &in.ReportDelay
	out.ReportQPS = &in.ReportQPS
}
