// Package scheme teaches kube-scheduler's own configuration scheme the arguments of our plugins.
// Importing it is enough.
package scheme

import (
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	kubeconfigv1 "k8s.io/kube-scheduler/config/v1"
	kubeconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	kubescheme "k8s.io/kubernetes/pkg/scheduler/apis/config/scheme"

	"github.com/queueyard/queueyard/pkg/scheduler/config"
	configv1 "github.com/queueyard/queueyard/pkg/scheduler/config/v1"
)

func init() {
	// The scheme that reads a configuration file exists already; the one that converts plugin
	// arguments is built from the builders when it is first needed.
	utilruntime.Must(config.AddToScheme(kubescheme.Scheme))
	utilruntime.Must(configv1.AddToScheme(kubescheme.Scheme))
	kubeconfig.SchemeBuilder.Register(config.AddToScheme)
	kubeconfigv1.SchemeBuilder.Register(configv1.AddToScheme)
}
