package drill

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/queueyard/queueyard/pkg/sandbox/cluster"
)

// expiredCertificate is the content of the webhooks' Secret a year after nobody looked after it.
func expiredCertificate() (map[string][]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	ended := time.Now().Add(-time.Minute)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: ended.Add(-time.Hour), NotAfter: ended, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	return map[string][]byte{"ca.crt": certificate, "ca.key": private, corev1.TLSCertKey: certificate, corev1.TLSPrivateKeyKey: private}, nil
}

// leads asks a replica of the scheduler whether it leads.
func (s *site) leads(ctx context.Context, replica int) bool {
	config, err := s.sandbox.Config()
	if err != nil {
		return false
	}
	config.Host = "https://" + cluster.Loopback(s.sandbox.Ports().Schedulers[replica].Secure)
	config.Timeout = 2 * time.Second
	connection, err := rest.HTTPClientFor(config)
	if err != nil {
		return false
	}
	defer connection.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+"/metrics", nil)
	if err != nil {
		return false
	}
	response, err := connection.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return err == nil && strings.Contains(string(text), `leader_election_master_status{name="kube-scheduler"} 1`)
}
