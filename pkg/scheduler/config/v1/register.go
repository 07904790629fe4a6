package v1

import (
	"k8s.io/apimachinery/pkg/conversion"
	"k8s.io/apimachinery/pkg/runtime"
	kubeschedulerconfigv1 "k8s.io/kube-scheduler/config/v1"

	"github.com/queueyard/queueyard/pkg/scheduler/config"
)

// AddToScheme adds the v1 types with their defaults and conversions.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(kubeschedulerconfigv1.SchemeGroupVersion, &QueueGateArgs{})
	s.AddTypeDefaultingFunc(&QueueGateArgs{}, func(obj any) { SetDefaults(obj.(*QueueGateArgs)) })
	if err := s.AddConversionFunc((*QueueGateArgs)(nil), (*config.QueueGateArgs)(nil), func(in, out any, _ conversion.Scope) error {
		toInternal(in.(*QueueGateArgs), out.(*config.QueueGateArgs))
		return nil
	}); err != nil {
		return err
	}
	return s.AddConversionFunc((*config.QueueGateArgs)(nil), (*QueueGateArgs)(nil), func(in, out any, _ conversion.Scope) error {
		fromInternal(in.(*config.QueueGateArgs), out.(*QueueGateArgs))
		return nil
	})
}
