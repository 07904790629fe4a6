// Package client is Queueyard from Go: it creates operations and workflows, waits for them, follows their statuses, says why
// they wait, and acts on them, as whoever its rest.Config is. Programs import it under another name, as queueyard, say:
// controller-runtime has a package of this one.
package client

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Scheme has the types of Kubernetes and of Queueyard.
var Scheme = runtime.NewScheme()

func init() {
	utilruntime.Must(clientgoscheme.AddToScheme(Scheme))
	utilruntime.Must(v1alpha1.AddToScheme(Scheme))
}

// Client works in one cluster as one user.
type Client struct {
	// Objects reads and writes objects of the types in Scheme.
	Objects client.WithWatch
	// Raw asks the aggregated API.
	Raw rest.Interface
	// FieldManager is who wrote what the client writes; empty: the program's name.
	FieldManager string
}

// New is a client of a cluster. It keeps nothing open: a server makes one of each visitor's config.
func New(config *rest.Config) (*Client, error) {
	objects, err := client.NewWithWatch(config, client.Options{Scheme: Scheme})
	if err != nil {
		return nil, fmt.Errorf("client of %s: %w", config.Host, err)
	}
	raw, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("client of %s: %w", config.Host, err)
	}
	return &Client{Objects: objects, Raw: raw.RESTClient()}, nil
}

func (c *Client) owner() client.FieldOwner { return client.FieldOwner(c.FieldManager) }
