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
	if u.options.NoQueueyard || u.has(Scheduler) && u.has(Controller) {
		return nil
	}
	// Missing programs are told before anything is installed.
	scheduler, err := u.scheduler()
	if err != nil {
		return err
	}
	controller, err := u.controller()
	if err != nil {
		return err
	}
	if err := install.CRDs(ctx, u.config, manifests.Install); err != nil {
		return err
	}
	webhookURL := "https://" + net.JoinHostPort(webhookHost, strconv.Itoa(u.state.Ports.ControllerWebhook))
	if err := install.Queueyard(ctx, u.config, manifests.Install, webhookURL); err != nil {
		return err
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
	if !u.has(Scheduler) {
		if err := u.add(scheduler, nil); err != nil {
			return err
		}
	}
	if !u.has(Controller) {
		return u.add(controller, nil)
	}
	return nil
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
