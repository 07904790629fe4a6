package config

import (
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Validate checks arguments after defaulting.
func Validate(args *QueueGateArgs) error {
	var errs field.ErrorList
	for _, msg := range validation.IsDNS1123Label(args.DefaultQueue) {
		errs = append(errs, field.Invalid(field.NewPath("defaultQueue"), args.DefaultQueue, msg))
	}
	positive := func(name string, d time.Duration) {
		if d <= 0 {
			errs = append(errs, field.Invalid(field.NewPath(name), d.String(), "must be positive"))
		}
	}
	positive("admissionTimeout", args.AdmissionTimeout.Duration)
	positive("initialBackoff", args.InitialBackoff.Duration)
	if args.MaxBackoff.Duration < args.InitialBackoff.Duration {
		errs = append(errs, field.Invalid(field.NewPath("maxBackoff"), args.MaxBackoff.Duration.String(), "must not be less than initialBackoff"))
	}
	notNegative := func(name string, d time.Duration) {
		if d < 0 {
			errs = append(errs, field.Invalid(field.NewPath(name), d.String(), "must not be negative"))
		}
	}
	notNegative("starvationTimeout", args.StarvationTimeout.Duration)
	notNegative("reportDelay", args.ReportDelay.Duration)
	if args.ReportQPS < 1 {
		errs = append(errs, field.Invalid(field.NewPath("reportQPS"), args.ReportQPS, "must be at least 1"))
	}
	return errs.ToAggregate()
}
