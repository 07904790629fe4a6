package agentidentity

import (
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Hub is where the hub's API server is, and how it is known.
type Hub struct {
	Server        string
	CA            []byte // PEM; none: the roots of the machine
	TLSServerName string
}

// Kubeconfig lets an agent be itself at the hub. The token is in the file tokenFile beside it, which is read again while it is
// used, so that a token can be replaced; or, without such a file, in the kubeconfig itself.
func Kubeconfig(agent string, hub Hub, token, tokenFile string) ([]byte, error) {
	user := &clientcmdapi.AuthInfo{TokenFile: tokenFile}
	if tokenFile == "" {
		user.Token = token
	}
	return clientcmd.Write(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{
			"hub": {Server: hub.Server, CertificateAuthorityData: hub.CA, TLSServerName: hub.TLSServerName},
		},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{agent: user},
		Contexts:       map[string]*clientcmdapi.Context{"hub": {Cluster: "hub", AuthInfo: agent, Namespace: v1alpha1.AgentNamespace(agent)}},
		CurrentContext: "hub",
	})
}
