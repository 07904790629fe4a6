package cluster

import (
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/queueyard/queueyard/pkg/sandbox/layout"
	"github.com/queueyard/queueyard/pkg/sandbox/pki"
)

// Names of certificates, and of the components that use them.
const (
	CA               = "ca"
	FrontProxyCA     = "front-proxy-ca"
	FrontProxyClient = "front-proxy-client"
	APIServer        = "apiserver"
	KubeletClient    = "apiserver-kubelet-client"
	Kubelet          = "kubelet"
	SchedulerServing = "scheduler-serving"
	ServiceAccounts  = "service-accounts"

	Admin             = "admin"
	ControllerManager = "controller-manager"
	SimulatedNodes    = "simulated-nodes"
	ProcessNode       = "process-node"
)

// KubeletClientUser is who the API server is when it asks a node for logs.
const KubeletClientUser = "kube-apiserver-kubelet-client"

// Addresses of Services. The first is that of the API server's own, kubernetes.
const (
	ServiceRange   = "10.96.0.0/16"
	ServiceAddress = "10.96.0.1"
)

// clients are the Kubernetes identities of components that hold a certificate.
var clients = []struct {
	name, user string
	groups     []string
}{
	{Admin, "sandbox-admin", []string{"system:masters"}},
	{ControllerManager, "system:kube-controller-manager", nil},
	{SimulatedNodes, "queueyard-sandbox:simulated-nodes", nil},
	{ProcessNode, "system:node:" + ProcessNode, []string{"system:nodes"}},
}

func ensureCredentials(dir layout.Dir, state *State) error {
	ca, err := pki.EnsureAuthority(dir.PKI(), CA)
	if err != nil {
		return err
	}
	frontProxy, err := pki.EnsureAuthority(dir.PKI(), FrontProxyCA)
	if err != nil {
		return err
	}
	apiServer := []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "127.0.0.1"}
	if state.Address != "" {
		apiServer = append(apiServer, state.Address, ServiceAddress)
	}
	steps := []func() error{
		func() error { return pki.EnsureKeyPair(dir.PKI(), ServiceAccounts) },
		func() error { return ca.EnsureServing(APIServer, apiServer...) },
		func() error { return ca.EnsureServing(Kubelet, "localhost", ProcessNode, "127.0.0.1") },
		func() error { return ca.EnsureServing(SchedulerServing, "localhost", "127.0.0.1") },
		func() error { return ca.EnsureClient(KubeletClient, KubeletClientUser) },
		func() error { return frontProxy.EnsureClient(FrontProxyClient, FrontProxyClient) },
	}
	for _, c := range clients {
		steps = append(steps, func() error { return ca.EnsureClient(c.name, c.user, c.groups...) })
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	for _, c := range clients {
		path := dir.KubeconfigOf(c.name)
		if c.name == Admin {
			path = dir.Kubeconfig()
		}
		if err := writeCertificateKubeconfig(dir, state.Ports, c.name, path); err != nil {
			return err
		}
	}
	return nil
}

// writeCertificateKubeconfig embeds all data, so that the file can be copied elsewhere.
func writeCertificateKubeconfig(dir layout.Dir, ports Ports, client, path string) error {
	crt, err := os.ReadFile(dir.Cert(client))
	if err != nil {
		return err
	}
	key, err := os.ReadFile(dir.Key(client))
	if err != nil {
		return err
	}
	return writeKubeconfig(dir, ports, path, &clientcmdapi.AuthInfo{ClientCertificateData: crt, ClientKeyData: key})
}

// WriteTokenKubeconfig writes the kubeconfig of a component that is a service account.
func WriteTokenKubeconfig(dir layout.Dir, ports Ports, component, token string) error {
	return writeKubeconfig(dir, ports, dir.KubeconfigOf(component), &clientcmdapi.AuthInfo{Token: token})
}

func writeKubeconfig(dir layout.Dir, ports Ports, path string, user *clientcmdapi.AuthInfo) error {
	ca, err := os.ReadFile(dir.Cert(CA))
	if err != nil {
		return err
	}
	const name = "queueyard-sandbox"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: "https://" + Loopback(ports.APIServer), CertificateAuthorityData: ca}
	config.AuthInfos[name] = user
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return fmt.Errorf("kubeconfig %s: %w", path, err)
	}
	return nil
}
