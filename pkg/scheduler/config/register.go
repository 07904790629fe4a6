package config

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kubeschedulerconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
)

// AddToScheme adds the internal types.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(schema.GroupVersion{Group: kubeschedulerconfig.GroupName, Version: runtime.APIVersionInternal}, &QueueGateArgs{})
	return nil
}
