package sandbox

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/queueyard/queueyard/manifests"
	"github.com/queueyard/queueyard/pkg/sandbox/cluster"
	"github.com/queueyard/queueyard/pkg/sandbox/install"
	"github.com/queueyard/queueyard/pkg/sandbox/supervisor"
)

// Names in Queueyard's manifests.
const (
	systemNamespace          = "queueyard-system"
	schedulerAccount         = "queueyard-scheduler"
	controllerAccount        = "queueyard-controller"
	schedulerConfigMap       = "queueyard-scheduler-config"
	schedulerConfigMapFile   = "config.yaml"
	componentTokenLifetime   = 365 * 24 * time.Hour
	webhookHost              = "localhost"
	clientConnectionField    = "clientConnection"
	clientConnectionFilePath = "kubeconfig"
)

func (u *up) ensureQueueyard(ctx context.Context) error {
	if u.options.NoQueueyard {
		return nil
	}
	// Missing programs are told before anything is installed.
	missing, err := u.missingQueueyard()
	if err != nil || len(missing) == 0 {
		return err
	}
	if err := install.CRDs(ctx, u.config, manifests.Install); err != nil {
		return err
	}
	webhookURL := "https://" + net.JoinHostPort(webhookHost, strconv.Itoa(u.state.Ports.ControllerWebhook))
	if err := install.Queueyard(ctx, u.config, manifests.Install, webhookURL); err != nil {
		return err
	}
	if u.options.Agent != "" {
		if err := install.Manifest(ctx, u.config, manifests.AgentWorker); err != nil {
			return err
		}
	}
	u.options.Progress("installed Queueyard's manifests")
	for component, account := range map[string]string{Scheduler: schedulerAccount, Controller: controllerAccount} {
		token, err := cluster.Token(ctx, u.client, systemNamespace, account, componentTokenLifetime)
		if err != nil {
			return err
		}
		if err := cluster.WriteTokenKubeconfig(u.dir, u.state.Ports, component, token); err != nil {
			return err
		}
	}
	if err := u.writeSchedulerConfig(ctx); err != nil {
		return err
	}
	for _, component := range missing {
		if err := u.add(component, nil); err != nil {
			return err
		}
	}
	return nil
}

// missingQueueyard is Queueyard's components that should run and do not.
func (u *up) missingQueueyard() (missing []supervisor.Component, err error) {
	if err := u.state.EnsureSchedulers(u.dir, u.options.Schedulers); err != nil {
		return nil, err
	}
	for i := range u.options.Schedulers {
		if u.has(SchedulerReplica(i)) {
			continue
		}
		scheduler, err := u.scheduler(i)
		if err != nil {
			return nil, err
		}
		missing = append(missing, scheduler)
	}
	if !u.has(Controller) {
		controller, err := u.controller()
		if err != nil {
			return nil, err
		}
		missing = append(missing, controller)
	}
	return missing, nil
}

// writeSchedulerConfig takes the installed configuration and adds who the scheduler is, which a pod would be told by
// its service account.
func (u *up) writeSchedulerConfig(ctx context.Context) error {
	configMap, err := u.client.CoreV1().ConfigMaps(systemNamespace).Get(ctx, schedulerConfigMap, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("the scheduler's configuration: %w", err)
	}
	config := map[string]any{}
	if err := yaml.Unmarshal([]byte(configMap.Data[schedulerConfigMapFile]), &config); err != nil {
		return fmt.Errorf("ConfigMap %s, key %s: %w", schedulerConfigMap, schedulerConfigMapFile, err)
	}
	err = unstructured.SetNestedField(config, u.dir.KubeconfigOf(Scheduler), clientConnectionField, clientConnectionFilePath)
	if err != nil {
		return fmt.Errorf("ConfigMap %s, key %s: %w", schedulerConfigMap, schedulerConfigMapFile, err)
	}
	if lease := u.options.LeaseDuration; lease != 0 {
		// In the proportions of Kubernetes' defaults.
		for field, duration := range map[string]time.Duration{"leaseDuration": lease, "renewDeadline": lease * 2 / 3, "retryPeriod": lease * 2 / 15} {
			if err := unstructured.SetNestedField(config, duration.String(), "leaderElection", field); err != nil {
				return fmt.Errorf("ConfigMap %s, key %s: %w", schedulerConfigMap, schedulerConfigMapFile, err)
			}
		}
	}
	data, err := yaml.Marshal(config)
	if err != nil {
		return err
	}
	path := u.dir.Config(schedulerConfig)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
