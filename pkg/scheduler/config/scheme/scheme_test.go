package scheme_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime"
	kubeconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
	kubescheme "k8s.io/kubernetes/pkg/scheduler/apis/config/scheme"

	"github.com/queueyard/queueyard/pkg/scheduler/config"
	_ "github.com/queueyard/queueyard/pkg/scheduler/config/scheme"
)

func read(t *testing.T, args string) (*config.QueueGateArgs, error) {
	t.Helper()
	obj, _, err := kubescheme.Codecs.UniversalDecoder().Decode([]byte(`{
		"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration",
		"profiles": [{"schedulerName": "queueyard-scheduler", "pluginConfig": [{"name": "QueueGate", "args": `+args+`}]}]
	}`), nil, nil)
	if err != nil {
		return nil, err
	}
	for _, c := range obj.(*kubeconfig.KubeSchedulerConfiguration).Profiles[0].PluginConfig {
		if c.Name == "QueueGate" {
			var into runtime.Object = c.Args
			return into.(*config.QueueGateArgs), nil
		}
	}
	t.Fatal("the configuration lost the arguments")
	return nil, nil
}

func TestArgumentsAreReadAsTheSchedulerReadsThem(t *testing.T) {
	args, err := read(t, `{"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "QueueGateArgs", "defaultQueue": "main", "maxBackoff": "10m"}`)
	require.NoError(t, err)
	require.Equal(t, "main", args.DefaultQueue)
	require.Equal(t, 10*time.Minute, args.MaxBackoff.Duration)
	require.Equal(t, time.Second, args.InitialBackoff.Duration, "defaulted")
	require.Equal(t, 5*time.Minute, args.StarvationTimeout.Duration)
	require.EqualValues(t, 10, args.ReportQPS)
	require.NoError(t, config.Validate(args))
}

func TestMisspeltArgumentIsAnError(t *testing.T) {
	_, err := read(t, `{"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "QueueGateArgs", "defualtQueue": "main"}`)
	require.ErrorContains(t, err, "defualtQueue")
}

func TestValidate(t *testing.T) {
	tests := []struct{ name, args, want string }{
		{"queue", `"defaultQueue": "Not A Name"`, "defaultQueue"},
		{"timeout", `"admissionTimeout": "0s"`, "admissionTimeout"},
		{"backoffs", `"initialBackoff": "10s", "maxBackoff": "5s"`, "must not be less than initialBackoff"},
		{"starvation", `"starvationTimeout": "-1s"`, "starvationTimeout"},
		{"delay", `"reportDelay": "-1s"`, "reportDelay"},
		{"qps", `"reportQPS": 0`, "reportQPS"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args, err := read(t, `{"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "QueueGateArgs", `+tt.args+`}`)
			require.NoError(t, err)
			require.ErrorContains(t, config.Validate(args), tt.want)
		})
	}
}
