// Package scheduler_test runs the scheduler's binary against a real API server.
package scheduler_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/yaml"

	"github.com/queueyard/queueyard/manifests"
	"github.com/queueyard/queueyard/pkg/sandbox/install"
	"github.com/queueyard/queueyard/test/testenv"
)

// patience is longer than an informer waits at most before it tries again.
const patience = 2 * time.Minute

// Without the definitions of what queues are made of the scheduler runs, says that it is not ready and which are
// missing, and is ready when they are there, without a restart.
func TestReadyWhenTheDefinitionsAreThere(t *testing.T) {
	env := testenv.Start(t)
	s := startScheduler(t, env)
	missing := []string{"queues.queueyard.io", "agents.queueyard.io", "projects.queueyard.io", "organizations.queueyard.io", "podgroups.scheduling.x-k8s.io"}
	s.until(t, "it names all of them", func(status int, says string) bool {
		return status == http.StatusInternalServerError && !slices.ContainsFunc(missing, func(resource string) bool { return !named(says, resource) })
	})

	installDefinitions(t, env, func(file string) bool { return !strings.Contains(file, "queues") })
	s.until(t, "it names the one that is missing, alone", func(status int, says string) bool {
		others := slices.ContainsFunc(missing[1:], func(resource string) bool { return strings.Contains(says, resource) })
		return status == http.StatusInternalServerError && named(says, missing[0]) && !others
	})

	installDefinitions(t, env, func(string) bool { return true })
	s.until(t, "it is ready", func(status int, _ string) bool { return status == http.StatusOK })
	require.False(t, s.ended(), "it was never started anew")

	// What it tells of itself it tells those who may ask, and nobody what is in its memory.
	may := administrator(t, env)
	for path, want := range map[string]int{"/metrics": http.StatusOK, "/configz": http.StatusOK, "/debug/pprof/": http.StatusNotFound, "/debug/pprof/heap": http.StatusNotFound} {
		status, _ := s.ask(t, path, "")
		require.Contains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, status, "%s, asked by anybody", path)
		status, says := s.ask(t, path, may)
		require.Equal(t, want, status, "%s: %s", path, says)
	}
}

// administrator is the token of an account that may do everything.
func administrator(t *testing.T, env *testenv.Env) string {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "boss"}}
	_, err := env.Client.CoreV1().ServiceAccounts("default").Create(t.Context(), account, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = env.Client.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "boss"},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: "boss"}}}, metav1.CreateOptions{})
	require.NoError(t, err)
	config, err := env.ConfigFor(t.Context(), "default", "boss")
	require.NoError(t, err)
	return config.BearerToken
}

// ask asks for a path, with a token or as anybody.
func (s *scheduler) ask(t *testing.T, path, token string) (status int, says string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+s.address+path, nil)
	require.NoError(t, err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := s.client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body[:min(len(body), 500)])
}

// named says whether readiness waits for a resource because it is not defined.
func named(says, resource string) bool {
	return strings.Contains(says, "(get "+resource+"); install its CustomResourceDefinition")
}

// installDefinitions installs those whose files are wanted.
func installDefinitions(t *testing.T, env *testenv.Env, wanted func(file string) bool) {
	t.Helper()
	const folder = "install/crds"
	entries, err := fs.ReadDir(manifests.Install, folder)
	require.NoError(t, err)
	files := fstest.MapFS{}
	for _, entry := range entries {
		if !wanted(entry.Name()) {
			continue
		}
		data, err := fs.ReadFile(manifests.Install, folder+"/"+entry.Name())
		require.NoError(t, err)
		files[folder+"/"+entry.Name()] = &fstest.MapFile{Data: data}
	}
	require.Less(t, 1, len(files))
	require.NoError(t, install.CRDs(t.Context(), env.Config, files))
}

// scheduler is bin/queueyard-scheduler with the configuration of an installation.
type scheduler struct {
	address string
	client  *http.Client
	exited  chan struct{}
}

func startScheduler(t *testing.T, env *testenv.Env) *scheduler {
	t.Helper()
	const namespace = "queueyard-system"
	_, err := env.Client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	require.NoError(t, err)
	dir := t.TempDir()
	bin, err := testenv.BinDir()
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &scheduler{address: listener.Addr().String(), exited: make(chan struct{}),
		client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}, Timeout: 10 * time.Second}}
	require.NoError(t, listener.Close())
	_, port, err := net.SplitHostPort(s.address)
	require.NoError(t, err)
	log, err := os.Create(filepath.Join(dir, "scheduler.log"))
	require.NoError(t, err)
	defer log.Close()
	kubeconfig := env.Dir.Kubeconfig()
	process := exec.Command(filepath.Join(bin, "queueyard-scheduler"), "--config", configuration(t, dir, kubeconfig),
		"--authentication-kubeconfig", kubeconfig, "--authorization-kubeconfig", kubeconfig,
		"--bind-address", "127.0.0.1", "--secure-port", port, "--cert-dir", dir, "--visibility=false")
	process.Stdout, process.Stderr = log, log
	require.NoError(t, process.Start(), "run make build first")
	go func() {
		_ = process.Wait()
		close(s.exited)
	}()
	t.Cleanup(func() {
		_ = process.Process.Signal(syscall.SIGTERM)
		<-s.exited
		if text, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("end of its log:\n%s", text[max(0, len(text)-4<<10):])
		}
	})
	return s
}

// configuration writes the scheduler's configuration of an installation, with another kubeconfig.
func configuration(t *testing.T, dir, kubeconfig string) (path string) {
	t.Helper()
	text, err := fs.ReadFile(manifests.Install, "install/scheduler-config.yaml")
	require.NoError(t, err)
	configMap := corev1.ConfigMap{}
	require.NoError(t, yaml.Unmarshal(text, &configMap))
	config := map[string]any{}
	require.NoError(t, yaml.Unmarshal([]byte(configMap.Data["config.yaml"]), &config))
	config["clientConnection"] = map[string]any{"kubeconfig": kubeconfig}
	data, err := yaml.Marshal(config)
	require.NoError(t, err)
	path = filepath.Join(dir, "config.yaml")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

func (s *scheduler) ended() bool {
	select {
	case <-s.exited:
		return true
	default:
		return false
	}
}

// until waits for an answer of /readyz.
func (s *scheduler) until(t *testing.T, what string, ok func(status int, says string) bool) {
	t.Helper()
	last := "no answer"
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		response, err := s.client.Get("https://" + s.address + "/readyz")
		if err != nil {
			last = err.Error()
			if s.ended() {
				return false, errors.New("it ended")
			}
			return false, nil
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		last = fmt.Sprint(response.StatusCode, " ", string(body))
		return err == nil && ok(response.StatusCode, string(body)), nil
	})
	require.NoError(t, err, "%s; last seen: %s", what, last)
}
