// Package manager runs the webhooks and controllers of Queueyard in one process.
package manager

import (
	"github.com/spf13/pflag"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// systemNamespace is where Queueyard is installed.
const systemNamespace = "queueyard-system"

// Options of the process.
type Options struct {
	Kubeconfig      string
	WebhookPort     int
	WebhookDNSNames []string
	// RotateCertificate says that the webhooks' certificate is made and renewed here.
	RotateCertificate bool
	HealthAddress     string
	MetricsAddress    string
	LeaderElect       bool
	DefaultQueue      string
	// Agent is the name under which this cluster serves queues of the hub that HubKubeconfig leads to.
	Agent, HubKubeconfig string
}

// NewOptions are the options of an installation.
func NewOptions() *Options {
	return &Options{
		WebhookPort:       9443,
		WebhookDNSNames:   []string{"queueyard-controller." + systemNamespace + ".svc"},
		RotateCertificate: true,
		HealthAddress:     ":8081",
		MetricsAddress:    ":8443",
		LeaderElect:       true,
		DefaultQueue:      v1alpha1.DefaultName,
	}
}

// AddFlags adds a flag for every option.
func (o *Options) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.Kubeconfig, "kubeconfig", o.Kubeconfig, "file that says how to reach the API server; empty: as a pod of the cluster")
	flags.IntVar(&o.WebhookPort, "webhook-port", o.WebhookPort, "port of the webhooks")
	flags.StringSliceVar(&o.WebhookDNSNames, "webhook-dns-name", o.WebhookDNSNames, "name under which the API server calls the webhooks; may be repeated")
	flags.BoolVar(&o.RotateCertificate, "rotate-certificate", o.RotateCertificate, "make the webhooks' certificate, renew it, and write its CA into the webhook configurations; false: another program, such as cert-manager, does")
	flags.StringVar(&o.HealthAddress, "health-address", o.HealthAddress, "address of /healthz and /readyz; 0: none")
	flags.StringVar(&o.MetricsAddress, "metrics-address", o.MetricsAddress, "address of /metrics, TLS with the webhooks' certificate, for who may get that path; 0: none")
	flags.BoolVar(&o.LeaderElect, "leader-elect", o.LeaderElect, "run the controllers in one replica only; the webhooks are served by all")
	flags.StringVar(&o.DefaultQueue, "default-queue", o.DefaultQueue, "queue of what names none and whose project and organization set none; give the scheduler the same")
	flags.StringVar(&o.Agent, "agent", o.Agent, "name of an agent of another cluster, the hub, whose queues are served here; empty: none")
	flags.StringVar(&o.HubKubeconfig, "hub-kubeconfig", o.HubKubeconfig, "file that says how the agent reaches the hub")
}
