package controlplane

import (
	"context"
	"slices"
	"strings"

	"k8s.io/kubernetes/cmd/kube-controller-manager/app"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	"k8s.io/kubernetes/cmd/kube-controller-manager/names"

	"github.com/queueyard/queueyard/pkg/sandbox/cluster"
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

// networked are those that besides make sense where pods have a network and Services are reached.
var networked = []string{names.EndpointsController, names.EndpointSliceController}

func controllerFlags(o Options) []string {
	dir, controllers := o.Dir, controllers
	if o.Address != "" {
		controllers = slices.Concat(controllers, networked)
	}
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

func runControllers(ctx context.Context, o Options) error {
	manager, err := options.NewKubeControllerManagerOptions()
	if err != nil {
		return err
	}
	known, disabled, aliases := app.KnownControllers(), app.ControllersDisabledByDefault(), app.ControllerAliases()
	if err := parseFlags(manager.Flags(known, disabled, aliases), controllerFlags(o)); err != nil {
		return err
	}
	config, err := manager.Config(ctx, known, disabled, aliases)
	if err != nil {
		return err
	}
	return app.Run(ctx, config.Complete())
}
