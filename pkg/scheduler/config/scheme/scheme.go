// Package scheme teaches kube-scheduler's own configuration scheme the arguments of our plugins.
// Importing it is enough.
package scheme

import (
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	kubescheme "k8s.io/kubernetes/pkg/scheduler/apis/config/scheme"

	"github.com/queueyard/queueyard/pkg/scheduler/config"
	configv1 "github.com/queueyard/queueyard/pkg/scheduler/config/v1"
)

func init() {
	utilruntime.Must(config.AddToScheme(kubescheme.Scheme))
	utilruntime.Must(configv1.AddToScheme(kubescheme.Scheme))
}
