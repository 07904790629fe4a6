package certificate

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
)

// Options of the webhooks' certificate.
type Options struct {
	// Secret keeps the certificate and its CA. It must exist; its content is made.
	Secret types.NamespacedName
	// DNSNames are the names under which the API server calls the webhooks.
	DNSNames []string
	// Configuration is the name of the webhook configurations that get the CA.
	Configuration string
	// External says that another program makes and renews the certificate and writes its CA.
	External bool
}

// Rotation makes the certificate, renews it before it ends, serves it, and writes its CA into the
// webhook configurations.
type Rotation struct {
	options Options
	keeper  *keeper
	ready   chan struct{}
}

// New prepares a rotation. Close it in the end.
func New(o Options) (*Rotation, error) {
	if len(o.DNSNames) == 0 {
		return nil, errors.New("the webhooks' certificate needs a DNS name")
	}
	dir, err := os.MkdirTemp("", "queueyard-webhook-")
	if err != nil {
		return nil, err
	}
	return &Rotation{options: o, keeper: &keeper{secret: o.Secret, dir: dir}, ready: make(chan struct{})}, nil
}

// Close removes what the rotation keeps on disk.
func (r *Rotation) Close() error { return os.RemoveAll(r.keeper.dir) }

// Configure makes a server serve the certificate of the moment.
func (r *Rotation) Configure(c *tls.Config) { c.GetCertificate = r.keeper.get }

// The Secret of the certificate, and the webhook configurations that get its CA.
//
// +kubebuilder:rbac:groups="",namespace=queueyard-system,resources=secrets,resourceNames=queueyard-webhook-certificate,verbs=get;list;watch;update
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=mutatingwebhookconfigurations;validatingwebhookconfigurations,resourceNames=queueyard,verbs=get;list;watch;update

// Setup adds the rotation to a manager.
func (r *Rotation) Setup(mgr ctrl.Manager) error {
	if err := r.keeper.setup(mgr); err != nil {
		return err
	}
	if r.options.External {
		return nil
	}
	named := byName{mgr, map[string]string{
		"secrets":                         r.options.Secret.Name,
		"mutatingwebhookconfigurations":   r.options.Configuration,
		"validatingwebhookconfigurations": r.options.Configuration,
	}}
	return rotator.AddRotator(named, &rotator.CertRotator{
		SecretKey:      r.options.Secret,
		CertDir:        r.keeper.dir,
		CAName:         "queueyard-ca",
		CAOrganization: "queueyard",
		DNSName:        r.options.DNSNames[0],
		ExtraDNSNames:  r.options.DNSNames[1:],
		IsReady:        r.ready,
		Webhooks: []rotator.WebhookInfo{
			{Name: r.options.Configuration, Type: rotator.Mutating},
			{Name: r.options.Configuration, Type: rotator.Validating},
		},
	})
}

// Ready is a readiness check: the certificate is served and, if it is made here, the API server trusts it.
func (r *Rotation) Ready(*http.Request) error {
	if r.options.External {
		if _, err := r.keeper.get(nil); err != nil {
			return fmt.Errorf("%w: it is expected in Secret %s", err, r.options.Secret)
		}
		return nil
	}
	select {
	case <-r.ready:
		return nil
	default:
		return errors.New("the webhooks' certificate is not in place yet")
	}
}
