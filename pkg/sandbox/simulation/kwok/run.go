// Package kwok runs KWOK in this process, with the stages a sandbox needs.
package kwok

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	nodefast "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	nodelease "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	"sigs.k8s.io/kwok/pkg/config"
	"sigs.k8s.io/kwok/pkg/kwok/cmd"
	"sigs.k8s.io/kwok/pkg/log"

	"github.com/queueyard/queueyard/pkg/sandbox/cluster"
	"github.com/queueyard/queueyard/pkg/sandbox/layout"
	"github.com/queueyard/queueyard/pkg/sandbox/simulation"
)

//go:embed options.yaml
var options string

//go:embed pods.yaml
var podStages string

// Run plays the simulated nodes of the sandbox until the context ends.
func Run(ctx context.Context, dir layout.Dir) error {
	path := dir.Config("simulated-nodes.yaml")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	documents := []string{options, nodefast.DefaultNodeInit, nodelease.DefaultNodeHeartbeatWithLease, podStages}
	if err := os.WriteFile(path, []byte(strings.Join(documents, "\n---\n")), 0o600); err != nil {
		return err
	}
	if err := releaseLeases(ctx, dir); err != nil {
		return err
	}

	// KWOK looks for its configuration in the process's arguments, before its own command is made.
	args := []string{
		"--config=" + path,
		"--kubeconfig=" + dir.KubeconfigOf(cluster.SimulatedNodes),
		"--manage-all-nodes=false",
		"--manage-nodes-with-annotation-selector=" + simulation.NodeAnnotation + "=" + simulation.NodeAnnotationValue,
		// It says every patch otherwise, and there are several for each pod.
		"--v=WARN",
	}
	os.Args = append([]string{"kwok"}, args...)
	flags := pflag.NewFlagSet("kwok", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	ctx, _ = log.InitFlags(ctx, flags)
	ctx, err := config.InitFlags(ctx, flags)
	if err != nil {
		return fmt.Errorf("KWOK configuration %s: %w", path, err)
	}
	command := cmd.NewCommand(ctx)
	command.PersistentFlags().AddFlagSet(flags)
	// Its version flag would collide with the one that Kubernetes' packages define for the whole process.
	command.Version = ""
	command.SetArgs(args)
	return command.ExecuteContext(ctx)
}

func releaseLeases(ctx context.Context, dir layout.Dir) error {
	clientConfig, err := clientcmd.BuildConfigFromFlags("", dir.KubeconfigOf(cluster.SimulatedNodes))
	if err != nil {
		return err
	}
	clientConfig.QPS = -1
	client, err := kubernetes.NewForConfig(clientConfig)
	if err != nil {
		return err
	}
	return simulation.ReleaseLeases(ctx, client)
}
