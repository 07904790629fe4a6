// Package certificate makes, renews and serves the certificate of the webhooks.
package certificate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

// expiry is when the certificate that is served ends.
var expiry = prometheus.NewGauge(prometheus.GaugeOpts{
	Name: "queueyard_webhook_certificate_expiry_timestamp_seconds",
	Help: "Unix time at which the webhooks' certificate ends that this replica serves.",
})

func init() { metrics.Registry.MustRegister(expiry) }

// keeper serves the certificate of a Secret out of memory. A mounted Secret would reach the
// process up to a minute after it was made, and not at all where no kubelet mounts it.
type keeper struct {
	secret  types.NamespacedName
	reader  client.Reader
	dir     string
	current atomic.Pointer[tls.Certificate]
}

// get is a tls.Config's GetCertificate.
func (k *keeper) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c := k.current.Load(); c != nil {
		return c, nil
	}
	return nil, errors.New("the webhooks' certificate is not made yet")
}

func (k *keeper) setup(mgr ctrl.Manager) error {
	k.reader = mgr.GetClient()
	mine := predicate.NewPredicateFuncs(func(o client.Object) bool { return client.ObjectKeyFromObject(o) == k.secret })
	return ctrl.NewControllerManagedBy(mgr).
		Named("webhook-certificate").
		For(&corev1.Secret{}, builder.WithPredicates(mine)).
		// Every replica serves.
		WithOptions(controller.Options{NeedLeaderElection: ptr.To(false)}).
		Complete(k)
}

// Reconcile takes a new certificate into use.
func (k *keeper) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	secret := &corev1.Secret{}
	if err := k.reader.Get(ctx, k.secret, secret); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	cert, key := secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey]
	if len(cert) == 0 {
		return ctrl.Result{}, nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("secret %s: %w", k.secret, err)
	}
	k.current.Store(&pair)
	expiry.Set(float64(pair.Leaf.NotAfter.Unix()))
	// The rotator takes this file for the sign that its certificate has arrived. The key stays in memory.
	return ctrl.Result{}, os.WriteFile(filepath.Join(k.dir, corev1.TLSCertKey), cert, 0o600)
}
