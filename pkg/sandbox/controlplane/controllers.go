package controlplane

import (
	"context"
	"strings"

	"k8s.io/kubernetes/cmd/kube-controller-manager/app"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	"k8s.io/kubernetes/cmd/kube-controller-manager/names"

	"github.com/queueyard/queueyard/pkg/sandbox/cluster"
	"github.com/queueyard/queueyard/pkg/sandbox/layout"
)

// controllers are those that make sense without networks, volumes and clouds.
var controllers = []string{
	names.ClusterRoleAggregationController,
	names.CronJobController,
	names.DaemonSetController,
	names.DeploymentController,
	names.DisruptionController,
	names.GarbageCollectorController,
	names.JobController,
	names.NamespaceController,
	names.NodeLifecycleController,
	names.PodGarbageCollectorController,
	names.ReplicaSetController,
	names.ResourceQuotaController,
	names.RootCACertificatePublisherController,
	names.ServiceAccountController,
	names.ServiceAccountTokenController,
	names.StatefulSetController,
	names.TTLAfterFinishedController,
	names.TTLController,
	names.TaintEvictionController,
	names.ValidatingAdmissionPolicyStatusController,
}

func controllerFlags(dir layout.Dir) []string {
	return []string{
		"--kubeconfig=" + dir.KubeconfigOf(cluster.ControllerManager),
		// Each controller acts as its own service account, as in most installations: admission sees who asks.
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + dir.Key(cluster.ServiceAccounts),
		"--root-ca-file=" + dir.Cert(cluster.CA),
		"--controllers=" + strings.Join(controllers, ","),
		// One process at a time holds the data directory, so there is no second one to elect against.
		"--leader-elect=false",
		"--secure-port=0",
		"--kube-api-qps=1000",
		"--kube-api-burst=1000",
	}
}

func runControllers(ctx context.Context, dir layout.Dir) error {
	o, err := options.NewKubeControllerManagerOptions()
	if err != nil {
		return err
	}
	known, disabled, aliases := app.KnownControllers(), app.ControllersDisabledByDefault(), app.ControllerAliases()
	if err := parseFlags(o.Flags(known, disabled, aliases), controllerFlags(dir)); err != nil {
		return err
	}
	config, err := o.Config(ctx, known, disabled, aliases)
	if err != nil {
		return err
	}
	return app.Run(ctx, config.Complete())
}
