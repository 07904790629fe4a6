package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/queueyard/queueyard/pkg/sandbox/cluster"
	"github.com/queueyard/queueyard/pkg/sandbox/layout"
	"github.com/queueyard/queueyard/pkg/sandbox/pki"
	"github.com/queueyard/queueyard/pkg/sandbox/process"
)

const (
	nodeName = "container-node"
	// address is the machine's on the pods' own bridge, which leads nowhere else.
	address   = "10.244.77.1"
	podRange  = "10.244.77.0/24"
	bridge    = "qypods"
	pauseRef  = "queueyard.test/pause:1"
	cgroup    = "queueyard-test-node"
	stopGrace = 20 * time.Second
)

// machine is a control plane and one node whose pods are real containers: containerd, runc, kubelet and kube-proxy.
type machine struct {
	t      *testing.T
	dir    layout.Dir
	plane  *cluster.Running
	client kubernetes.Interface
	bin    string
}

// startMachine brings it up; what it changed on this machine is undone at the end of the test.
func startMachine(ctx context.Context, t *testing.T, bin string) *machine {
	t.Helper()
	// Short, because the socket's path must be, and outside of what the test's own removal of files could trip over.
	path, err := os.MkdirTemp("/tmp", "qynode")
	require.NoError(t, err)
	m := &machine{t: t, dir: layout.Dir(path), bin: bin}
	t.Cleanup(func() { m.removeFiles(path) })

	m.command("ip", "link", "add", bridge, "type", "bridge")
	t.Cleanup(func() { m.try("ip", "link", "del", bridge) })
	m.command("ip", "address", "add", address+"/24", "dev", bridge)
	m.command("ip", "link", "set", bridge, "up")
	forward, err := os.ReadFile("/proc/sys/net/ipv4/ip_forward")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1\n"), 0o644))
	t.Cleanup(func() { _ = os.WriteFile("/proc/sys/net/ipv4/ip_forward", forward, 0o644) })

	m.plane, err = cluster.Start(ctx, m.dir, filepath.Dir(bin), address)
	require.NoError(t, err)
	t.Cleanup(func() { m.plane.Stop(stopGrace) })
	m.client, err = kubernetes.NewForConfig(m.plane.Config)
	require.NoError(t, err)

	m.identities(ctx)
	m.startRuntime(ctx)
	m.startKubelet(ctx)
	m.startProxy(ctx)
	m.startScheduler()
	t.Cleanup(m.explain)
	return m
}

// identities are the certificates of the kubelet and of kube-proxy.
func (m *machine) identities(ctx context.Context) {
	t := m.t
	ca, err := pki.EnsureAuthority(m.dir.PKI(), cluster.CA)
	require.NoError(t, err)
	require.NoError(t, ca.EnsureServing("container-node-serving", nodeName, address))
	for name, who := range map[string]struct{ user, group string }{
		"container-node": {"system:node:" + nodeName, "system:nodes"},
		"kube-proxy":     {"system:kube-proxy", "system:node-proxier"},
		"kube-scheduler": {"system:kube-scheduler", ""},
	} {
		require.NoError(t, ca.EnsureClient(name, who.user, who.group))
		config := clientcmdapi.NewConfig()
		config.Clusters["test"] = &clientcmdapi.Cluster{Server: m.plane.Config.Host, CertificateAuthority: m.dir.Cert(cluster.CA)}
		config.AuthInfos["test"] = &clientcmdapi.AuthInfo{ClientCertificate: m.dir.Cert(name), ClientKey: m.dir.Key(name)}
		config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test"}
		config.CurrentContext = "test"
		require.NoError(t, clientcmd.WriteToFile(*config, m.dir.KubeconfigOf(name)))
	}
	m.command("kubectl", "create", "clusterrolebinding", "api-server-reaches-kubelets",
		"--clusterrole=system:kubelet-api-admin", "--user="+cluster.KubeletClientUser)
}

var containerdConfig = template.Must(template.New("").Parse(`version = 3
root = "{{.Dir}}/containerd"
state = "{{.Dir}}/run"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs","io.containerd.snapshotter.v1.zfs","io.containerd.snapshotter.v1.devmapper","io.containerd.nri.v1.nri","io.containerd.tracing.processor.v1.otlp","io.containerd.internal.v1.tracing"]
[grpc]
  address = "{{.Dir}}/c.sock"
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "{{.Pause}}"
[plugins.'io.containerd.cri.v1.runtime']
  disable_apparmor = true
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "{{.Dir}}/cni"
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = "runc"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
        SystemdCgroup = false
`))

const cniConfig = `{"cniVersion": "1.0.0", "name": "queueyard-test", "plugins": [
  {"type": "bridge", "bridge": "` + bridge + `", "isGateway": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "%s/addresses", "ranges": [[{"subnet": "` + podRange + `"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "loopback"}]}
`

func (m *machine) startRuntime(ctx context.Context) {
	t := m.t
	m.write("cni/10-test.conflist", fmt.Sprintf(cniConfig, m.dir))
	var config strings.Builder
	require.NoError(t, containerdConfig.Execute(&config, map[string]string{"Dir": string(m.dir), "Pause": pauseRef}))
	m.write("containerd.toml", config.String())
	// Its shims are looked up beside it and outlive it.
	t.Cleanup(m.endContainers)
	m.start("containerd", "-c", filepath.Join(string(m.dir), "containerd.toml"))
	m.eventually(ctx, "containerd", func() error { return m.ctr("version") })

	pause, err := os.ReadFile(filepath.Join(m.bin, "pause"))
	require.NoError(t, err)
	m.load(image{ref: pauseRef, entrypoint: []string{"/pause"}, files: map[string][]byte{"pause": pause}})
}

// load makes the image known to the node.
func (m *machine) load(i image) {
	m.t.Helper()
	file := filepath.Join(string(m.dir), "image.tar")
	require.NoError(m.t, i.archive(file))
	m.loadArchive(file)
	require.NoError(m.t, os.Remove(file))
}

func (m *machine) loadArchive(file string) {
	m.t.Helper()
	require.NoError(m.t, m.ctr("images", "import", file))
}

var kubeletConfig = template.Must(template.New("").Parse(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: {{.Address}}
readOnlyPort: 0
healthzBindAddress: {{.Address}}
tlsCertFile: {{.Dir}}/pki/container-node-serving.crt
tlsPrivateKeyFile: {{.Dir}}/pki/container-node-serving.key
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: {{.Dir}}/pki/ca.crt}}
authorization: {mode: Webhook}
containerRuntimeEndpoint: unix://{{.Dir}}/c.sock
cgroupDriver: cgroupfs
cgroupRoot: /{{.Cgroup}}
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
resolvConf: ""
clusterDomain: cluster.local
podLogsDir: {{.Dir}}/podlogs
volumePluginDir: {{.Dir}}/volumeplugins
evictionHard: {nodefs.available: "1%", imagefs.available: "1%", memory.available: "100Mi", nodefs.inodesFree: "1%"}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
nodeStatusUpdateFrequency: 5s
serializeImagePulls: false
`))

func (m *machine) startKubelet(ctx context.Context) {
	t := m.t
	for _, controller := range cgroupControllers() {
		require.NoError(t, os.MkdirAll(filepath.Join(controller, cgroup), 0o755))
		t.Cleanup(func() { removeCgroups(filepath.Join(controller, cgroup)) })
	}
	t.Cleanup(m.removeKubeletRules)
	var config strings.Builder
	require.NoError(t, kubeletConfig.Execute(&config, map[string]string{"Dir": string(m.dir), "Address": address, "Cgroup": cgroup}))
	m.write("kubelet.yaml", config.String())
	m.start("kubelet", "--config", filepath.Join(string(m.dir), "kubelet.yaml"), "--kubeconfig", m.dir.KubeconfigOf("container-node"),
		"--root-dir", filepath.Join(string(m.dir), "kubelet"), "--hostname-override", nodeName, "--node-ip", address)
	m.eventually(ctx, "the node", func() error {
		node, err := m.client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, c := range node.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return errors.New("it is not Ready")
	})
}

// removeKubeletRules takes back the kubelet's own, which it leaves when it ends.
func (m *machine) removeKubeletRules() {
	for _, chain := range []string{"INPUT", "OUTPUT"} {
		m.try("iptables", "-D", chain, "-j", "KUBE-FIREWALL")
	}
	for _, table := range []string{"filter", "nat", "mangle"} {
		for _, chain := range []string{"KUBE-FIREWALL", "KUBE-KUBELET-CANARY", "KUBE-IPTABLES-HINT"} {
			m.try("iptables", "-t", table, "-F", chain)
			m.try("iptables", "-t", table, "-X", chain)
		}
	}
}

const proxyConfig = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clientConnection: {kubeconfig: %q}
hostnameOverride: ` + nodeName + `
bindAddress: ` + address + `
healthzBindAddress: ` + address + `:10256
metricsBindAddress: ` + address + `:10249
clusterCIDR: ` + podRange + `
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
# Two pods on one bridge would else answer each other past the translation of addresses.
iptables: {masqueradeAll: true, minSyncPeriod: 0s}
`

func (m *machine) startProxy(ctx context.Context) {
	m.write("kube-proxy.yaml", fmt.Sprintf(proxyConfig, m.dir.KubeconfigOf("kube-proxy")))
	config := filepath.Join(string(m.dir), "kube-proxy.yaml")
	m.t.Cleanup(func() {
		out, err := exec.Command(filepath.Join(m.bin, "kube-proxy"), "--config", config, "--cleanup").CombinedOutput()
		if err != nil {
			m.t.Logf("kube-proxy --cleanup: %v\n%s", err, out)
		}
	})
	m.start("kube-proxy", "--config", config)
}

// startScheduler starts the cluster's own, which places Queueyard's pods.
func (m *machine) startScheduler() {
	config := m.dir.KubeconfigOf("kube-scheduler")
	m.start("kube-scheduler", "--kubeconfig", config, "--authentication-kubeconfig", config, "--authorization-kubeconfig", config,
		"--leader-elect=false", "--bind-address", address, "--secure-port", "10259", "--cert-dir", filepath.Join(string(m.dir), "kube-scheduler"))
}

// start runs one of the node's programs until the end of the test.
func (m *machine) start(program string, args ...string) {
	m.t.Helper()
	p, err := process.Start(process.Spec{Path: filepath.Join(m.bin, program), Args: args, Dir: string(m.dir), Log: m.dir.Log(program)})
	require.NoError(m.t, err)
	m.t.Cleanup(func() {
		p.Stop(stopGrace)
		if m.t.Failed() {
			m.tail(program)
		}
	})
}

// explain shows what a failed test left in the cluster.
func (m *machine) explain() {
	if !m.t.Failed() {
		return
	}
	for _, args := range [][]string{
		{"get", "pods", "-A", "-o", "wide"},
		{"get", "events", "-A", "--sort-by=.metadata.creationTimestamp"},
		{"logs", "-n", namespace, "-l", "app.kubernetes.io/part-of=queueyard", "--prefix", "--tail=20"},
	} {
		out, err := m.run("kubectl", args...)
		m.t.Logf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (m *machine) tail(program string) {
	out, _ := exec.Command("tail", "-n", "25", m.dir.Log(program)).Output()
	m.t.Logf("end of the log of %s:\n%s", program, out)
}

// endContainers removes what containerd's shims hold after it has ended: processes and mounts.
func (m *machine) endContainers() {
	for _, dir := range processes(filepath.Join(m.bin, "containerd-shim-runc-v2"), string(m.dir)) {
		_ = syscall.Kill(dir, syscall.SIGKILL)
	}
	for _, dir := range cgroupControllers() {
		killCgroup(filepath.Join(dir, cgroup))
	}
}

func (m *machine) ctr(args ...string) error {
	out, err := exec.Command(filepath.Join(m.bin, "ctr"), append([]string{"-a", filepath.Join(string(m.dir), "c.sock"), "-n", "k8s.io"}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ctr %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// command runs a program to its end and gives its output; kubectl and helm talk to the machine's API server.
func (m *machine) command(name string, args ...string) string {
	m.t.Helper()
	out, err := m.run(name, args...)
	require.NoError(m.t, err, out)
	return out
}

func (m *machine) try(name string, args ...string) { _, _ = m.run(name, args...) }

func (m *machine) run(name string, args ...string) (string, error) {
	program := name
	for _, dir := range []string{m.bin, filepath.Dir(m.bin)} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			program = filepath.Join(dir, name)
		}
	}
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+m.dir.Kubeconfig(), "HOME="+string(m.dir))
	cmd.Dir = repository
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return string(out), err
}

func (m *machine) write(name, content string) {
	m.t.Helper()
	file := filepath.Join(string(m.dir), name)
	require.NoError(m.t, os.MkdirAll(filepath.Dir(file), 0o700))
	require.NoError(m.t, os.WriteFile(file, []byte(content), 0o600))
}

// eventually waits until the check holds; the context bounds it.
func (m *machine) eventually(ctx context.Context, what string, check func() error) {
	m.t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		last = check()
		return last == nil, nil
	})
	require.NoError(m.t, errors.Join(err, last), "wait for %s", what)
}

func (m *machine) removeFiles(dir string) {
	unmountBelow(dir)
	if err := os.RemoveAll(dir); err != nil {
		m.t.Errorf("remove %s: %v", dir, err)
	}
}
