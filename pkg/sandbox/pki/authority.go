// Package pki makes the certificates of a sandbox: its authorities, serving and client certificates.
// What already exists and is good for another month is kept.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

const (
	authorityLifetime = 10 * 365 * 24 * time.Hour
	leafLifetime      = 365 * 24 * time.Hour
	renewBefore       = 30 * 24 * time.Hour
	// clockSkew lets a certificate be used at once after a small step back of the clock.
	clockSkew = time.Hour
)

// Authority signs certificates and keeps them as NAME.crt and NAME.key in its directory.
type Authority struct {
	dir  string
	cert *x509.Certificate
	key  crypto.Signer
}

// EnsureAuthority loads the authority of that name from dir or makes it.
func EnsureAuthority(dir, name string) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if crt, key, err := load(dir, name); err == nil && fresh(crt) {
		return &Authority{dir: dir, cert: crt, key: key}, nil
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "queueyard-sandbox-" + name},
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	crt, err := sign(template, template, key.Public(), key, authorityLifetime)
	if err != nil {
		return nil, fmt.Errorf("certificate authority %q: %w", name, err)
	}
	if err := save(dir, name, crt, key); err != nil {
		return nil, err
	}
	return &Authority{dir: dir, cert: crt, key: key}, nil
}

// EnsureServing makes a server's certificate, good for the given DNS names and addresses.
func (a *Authority) EnsureServing(name string, hosts ...string) error {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	return a.ensure(name, template)
}

// EnsureClient makes a client's certificate for a Kubernetes user and its groups.
func (a *Authority) EnsureClient(name, user string, groups ...string) error {
	return a.ensure(name, &x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

func (a *Authority) ensure(name string, template *x509.Certificate) error {
	if crt, _, err := load(a.dir, name); err == nil && fresh(crt) && crt.CheckSignatureFrom(a.cert) == nil && same(crt, template) {
		return nil
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	crt, err := sign(template, a.cert, key.Public(), a.key, leafLifetime)
	if err != nil {
		return fmt.Errorf("certificate %q: %w", name, err)
	}
	return save(a.dir, name, crt, key)
}

// EnsureKeyPair makes a bare key pair, NAME.key and NAME.pub, as service account tokens are signed with.
func EnsureKeyPair(dir, name string) error {
	keyFile, pubFile := filepath.Join(dir, name+".key"), filepath.Join(dir, name+".pub")
	if _, err := keyutil.PrivateKeyFromFile(keyFile); err == nil {
		if _, err := keyutil.PublicKeysFromFile(pubFile); err == nil {
			return nil
		}
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	pub, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := writeKey(keyFile, key); err != nil {
		return err
	}
	return os.WriteFile(pubFile, pemBlock(keyutil.PublicKeyBlockType, pub), 0o600)
}

func newKey() (*ecdsa.PrivateKey, error) {
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func sign(template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer, lifetime time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template.SerialNumber = serial
	template.NotBefore, template.NotAfter = now.Add(-clockSkew), now.Add(lifetime)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func fresh(crt *x509.Certificate) bool {
	now := time.Now()
	return now.After(crt.NotBefore) && now.Add(renewBefore).Before(crt.NotAfter)
}

// same reports whether an existing certificate says what the template asks for.
func same(crt, template *x509.Certificate) bool {
	return crt.Subject.CommonName == template.Subject.CommonName &&
		slices.Equal(crt.Subject.Organization, template.Subject.Organization) &&
		slices.Equal(crt.DNSNames, template.DNSNames) &&
		slices.EqualFunc(crt.IPAddresses, template.IPAddresses, net.IP.Equal)
}

func load(dir, name string) (*x509.Certificate, crypto.Signer, error) {
	crts, err := cert.CertsFromFile(filepath.Join(dir, name+".crt"))
	if err != nil {
		return nil, nil, err
	}
	key, err := keyutil.PrivateKeyFromFile(filepath.Join(dir, name+".key"))
	if err != nil {
		return nil, nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, nil, fmt.Errorf("%s.key: cannot sign with a %T", name, key)
	}
	return crts[0], signer, nil
}

func save(dir, name string, crt *x509.Certificate, key *ecdsa.PrivateKey) error {
	if err := writeKey(filepath.Join(dir, name+".key"), key); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".crt"), pemBlock(cert.CertificateBlockType, crt.Raw), 0o600)
}
