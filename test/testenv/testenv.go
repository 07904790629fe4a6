// Package testenv gives tests a real control plane: etcd, kube-apiserver and Kubernetes' controllers, without nodes
// and without Queueyard. It runs as a process of its own, so that the race detector instruments only what is tested.
package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/queueyard/queueyard/pkg/sandbox/cluster"
	"github.com/queueyard/queueyard/pkg/sandbox/layout"
)

const (
	startTimeout = 2 * time.Minute
	stopGrace    = 20 * time.Second
	// logTail is how much of the control plane's log a failed start shows.
	logTail = 4 << 10
)

// Env is a running control plane.
type Env struct {
	// Config is the administrator's.
	Config *rest.Config
	// Client is a clientset of the administrator.
	Client kubernetes.Interface
	// Dir holds the sandbox's files: certificates, kubeconfigs, logs.
	Dir layout.Dir
	// State has the ports.
	State *cluster.State

	binDir  string
	running *cluster.Running
}

// Start runs a control plane for one test and stops it at the test's end.
func Start(t testing.TB, options ...Option) *Env {
	t.Helper()
	env, err := StartShared(options...)
	if err != nil {
		t.Fatalf("test environment: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("end of the control plane's log:\n%s", env.logEnd())
		}
		env.Stop()
	})
	return env
}

// Option changes what a new environment holds.
type Option func(context.Context, *Env) error

// WithCRDs installs Queueyard's custom resource definitions.
func WithCRDs() Option {
	return func(ctx context.Context, e *Env) error { return e.InstallCRDs(ctx) }
}

// WithNode makes a node that nobody runs, for tests that bind pods and say how they go. Pods of a node that does not
// exist would be collected as garbage, all of them now and then, whatever they do.
func WithNode(name string) Option {
	return func(ctx context.Context, e *Env) error {
		_, err := e.Client.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		return err
	}
}

// StartShared runs a control plane for all tests of a package. Call it in TestMain, and Stop at the end.
func StartShared(options ...Option) (*Env, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	binDir, err := BinDir()
	if err != nil {
		return nil, err
	}
	path, err := os.MkdirTemp("", "queueyard-testenv-")
	if err != nil {
		return nil, err
	}
	env := &Env{Dir: layout.Dir(path), binDir: binDir}
	if err := env.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%w; end of its log:\n%s", err, env.logEnd()), os.RemoveAll(path))
	}
	for _, option := range options {
		if err := option(ctx, env); err != nil {
			env.Stop()
			return nil, err
		}
	}
	return env, nil
}

func (e *Env) start(ctx context.Context) error {
	running, err := cluster.Start(ctx, e.Dir, e.binDir, "")
	if err != nil {
		return err
	}
	e.running, e.State, e.Config = running, running.State, running.Config
	e.Client, err = kubernetes.NewForConfig(e.Config)
	return err
}

// Stop ends the control plane and removes its data.
func (e *Env) Stop() {
	e.running.Stop(stopGrace)
	_ = os.RemoveAll(string(e.Dir))
}

// Kill ends the control plane as a crash would; its data stay for Restart.
func (e *Env) Kill() {
	e.running.Signal(syscall.SIGKILL)
	<-e.running.Done()
}

// Restart brings a killed control plane back on the same port with the same data. It must not be running.
func (e *Env) Restart(ctx context.Context) error {
	return e.start(ctx)
}

// ConfigFor is the client configuration of a service account, which must exist.
func (e *Env) ConfigFor(ctx context.Context, namespace, serviceAccount string) (*rest.Config, error) {
	token, err := cluster.Token(ctx, e.Client, namespace, serviceAccount, time.Hour)
	if err != nil {
		return nil, err
	}
	config := rest.AnonymousClientConfig(e.Config)
	config.BearerToken = token
	config.QPS, config.Burst = -1, -1
	return config, nil
}

func (e *Env) logEnd() string {
	f, err := os.Open(e.Dir.Log(cluster.ControlPlane))
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > logTail {
		_, _ = f.Seek(-logTail, io.SeekEnd)
	}
	data, _ := io.ReadAll(f)
	return string(data)
}

// BinDir is where make build puts the programs: bin in the nearest directory above the test that has a go.mod.
func BinDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "bin"), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working directory: run the tests inside the repository")
		}
		dir = parent
	}
}
