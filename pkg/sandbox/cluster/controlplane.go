package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/queueyard/queueyard/pkg/sandbox/layout"
	"github.com/queueyard/queueyard/pkg/sandbox/process"
)

// ControlPlaneProgram is the program that holds etcd, the API server, Kubernetes' controllers and KWOK.
const ControlPlaneProgram = "sandbox-control-plane"

// Names of the components. Etcd is part of the control plane where it has no process of its own.
const (
	ControlPlane = "control-plane"
	Etcd         = "etcd"
)

// Prepare makes everything a control plane needs to start in dir. It must not be called while one runs there. With an
// address of this machine the API server is reached there too, by pods with a network of their own and through the
// Service kubernetes; empty: on the loopback address only.
func Prepare(dir layout.Dir, address string) (*State, error) {
	if err := os.MkdirAll(string(dir), 0o700); err != nil {
		return nil, err
	}
	state, err := ensureState(dir, address)
	if err != nil {
		return nil, err
	}
	return state, ensureCredentials(dir, state)
}

// Program finds one of the project's programs in binDir.
func Program(binDir, name string) (string, error) {
	path := filepath.Join(binDir, name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("program %s is missing in %s: build it with make build", name, binDir)
	}
	return path, nil
}

// ControlPlaneProcess is the command line of the control plane.
func ControlPlaneProcess(dir layout.Dir, state *State, binDir string) (process.Spec, error) {
	program, err := Program(binDir, ControlPlaneProgram)
	if err != nil {
		return process.Spec{}, err
	}
	args := []string{"run", "--dir", string(dir), "--port", strconv.Itoa(state.Ports.APIServer)}
	if state.Address != "" {
		args = append(args, "--address", state.Address)
	}
	return process.Spec{
		Path: program,
		Args: args,
		Dir:  string(dir),
		Log:  dir.Log(ControlPlane),
	}, nil
}

// EtcdApart is the command line of etcd in a process of its own, and makes the control plane one without etcd.
func EtcdApart(dir layout.Dir, controlPlane *process.Spec) process.Spec {
	controlPlane.Args = append(controlPlane.Args, "--etcd-apart")
	return process.Spec{
		Path: controlPlane.Path,
		Args: []string{"etcd", "--dir", string(dir)},
		Dir:  string(dir),
		Log:  dir.Log(Etcd),
	}
}

// AdminConfig is the administrator's client configuration, without client-side rate limits.
func AdminConfig(dir layout.Dir) (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", dir.Kubeconfig())
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = -1, -1
	return config, nil
}

// Ready says why the API server cannot be used yet, nil when it can.
func Ready(ctx context.Context, client kubernetes.Interface) error {
	if _, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx); err != nil {
		return fmt.Errorf("API server: %w", err)
	}
	// Pods cannot be created in a namespace before its service account exists; the controllers make it.
	if _, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{}); err != nil {
		return fmt.Errorf("controllers: %w", err)
	}
	return nil
}

// WaitReady waits for the control plane; died ends the wait early.
func WaitReady(ctx context.Context, config *rest.Config, died <-chan struct{}) error {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	var last error
	err = wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		select {
		case <-died:
			return false, errors.New("it ended while starting")
		default:
		}
		last = Ready(ctx, client)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("control plane is not ready: %w", errors.Join(err, last))
	}
	return nil
}
