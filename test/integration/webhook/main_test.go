// Package webhook_test runs the controller's binary against a real API server, with the manifests,
// roles and certificates of an installation.
package webhook_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/manifests"
	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/sandbox/cluster"
	"github.com/queueyard/queueyard/pkg/sandbox/install"
	"github.com/queueyard/queueyard/test/testenv"
)

const (
	systemNamespace = "queueyard-system"
	startTimeout    = time.Minute
	pollEvery       = 20 * time.Millisecond
)

var (
	env   *testenv.Env
	admin client.Client
	yard  *controller
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	var err error
	if env, err = testenv.StartShared(testenv.WithCRDs()); err != nil {
		return failed(err)
	}
	defer env.Stop()
	if admin, err = clientOf(env.Config); err != nil {
		return failed(err)
	}
	if yard, err = newController(ctx); err != nil {
		return failed(err)
	}
	if err := yard.start(ctx); err != nil {
		return failed(err)
	}
	defer yard.stop()
	if err := company(ctx); err != nil {
		return failed(err)
	}
	return m.Run()
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func clientOf(config *rest.Config) (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	return client.New(config, client.Options{Scheme: scheme})
}

// controller is bin/queueyard-controller with the identity it has in an installation.
type controller struct {
	kubeconfig   string
	port, health int
	process      *exec.Cmd
	exited       chan struct{}
}

// newController installs Queueyard. Its webhooks have no one behind them yet.
func newController(ctx context.Context) (*controller, error) {
	c := &controller{kubeconfig: env.Dir.KubeconfigOf("queueyard-controller")}
	for _, port := range []*int{&c.port, &c.health} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		*port = l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			return nil, err
		}
	}
	if err := install.Queueyard(ctx, env.Config, manifests.Install, "https://localhost:"+strconv.Itoa(c.port)); err != nil {
		return nil, err
	}
	token, err := cluster.Token(ctx, env.Client, systemNamespace, "queueyard-controller", time.Hour)
	if err != nil {
		return nil, err
	}
	return c, cluster.WriteTokenKubeconfig(env.Dir, env.State.Ports, "queueyard-controller", token)
}

// start returns when the controller says that it is ready.
func (c *controller) start(ctx context.Context) error {
	program, err := filepath.Abs("../../../bin/queueyard-controller")
	if err != nil {
		return err
	}
	health := net.JoinHostPort("127.0.0.1", strconv.Itoa(c.health))
	c.process = exec.Command(program, "--kubeconfig", c.kubeconfig, "--webhook-port", strconv.Itoa(c.port),
		"--health-address", health, "--metrics-address", "0", "--webhook-dns-name", "localhost")
	log, err := os.OpenFile(filepath.Join(string(env.Dir), "controller.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	c.process.Stdout, c.process.Stderr = log, log
	if err := c.process.Start(); err != nil {
		return fmt.Errorf("%w: run make build first", err)
	}
	c.exited = make(chan struct{})
	go func() {
		_ = c.process.Wait()
		close(c.exited)
	}()
	err = wait.PollUntilContextCancel(ctx, pollEvery, true, func(context.Context) (bool, error) {
		select {
		case <-c.exited:
			return false, fmt.Errorf("the controller ended: %s", c.process.ProcessState)
		default:
		}
		response, err := http.Get("http://" + health + "/readyz")
		if err != nil {
			return false, nil
		}
		return response.StatusCode == http.StatusOK, response.Body.Close()
	})
	if err != nil {
		text, _ := os.ReadFile(log.Name())
		return fmt.Errorf("the controller is not ready: %w; its log:\n%s", err, text)
	}
	return nil
}

// stop ends the controller as a rollout would.
func (c *controller) stop() {
	_ = c.process.Process.Signal(syscall.SIGTERM)
	<-c.exited
}
