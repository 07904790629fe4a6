package pki

import (
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAuthority(t *testing.T) {
	dir := t.TempDir()
	ca, err := EnsureAuthority(dir, "ca")
	require.NoError(t, err)
	require.NoError(t, ca.EnsureServing("server", "localhost", "127.0.0.1"))
	require.NoError(t, ca.EnsureClient("client", "ada", "admins"))

	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	server, _, err := load(dir, "server")
	require.NoError(t, err)
	for _, host := range []string{"localhost", "127.0.0.1"} {
		_, err = server.Verify(x509.VerifyOptions{Roots: roots, DNSName: host})
		require.NoError(t, err, host)
	}
	client, _, err := load(dir, "client")
	require.NoError(t, err)
	_, err = client.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	require.NoError(t, err)
	require.Equal(t, "ada", client.Subject.CommonName)
	require.Equal(t, []string{"admins"}, client.Subject.Organization)
}

func TestEnsureKeepsWhatIsGood(t *testing.T) {
	dir := t.TempDir()
	ensure := func(hosts ...string) *x509.Certificate {
		ca, err := EnsureAuthority(dir, "ca")
		require.NoError(t, err)
		require.NoError(t, ca.EnsureServing("server", hosts...))
		crt, _, err := load(dir, "server")
		require.NoError(t, err)
		return crt
	}
	first := ensure("localhost")
	require.Equal(t, first.Raw, ensure("localhost").Raw, "an unchanged request keeps the certificate")

	other := ensure("localhost", "127.0.0.1")
	require.NotEqual(t, first.Raw, other.Raw, "another host needs another certificate")
	require.True(t, other.IPAddresses[0].Equal(net.IPv4(127, 0, 0, 1)))

	require.NoError(t, os.Remove(filepath.Join(dir, "ca.key")))
	require.NotEqual(t, other.Raw, ensure("localhost", "127.0.0.1").Raw, "another authority signs anew")
}

func TestEnsureKeyPair(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, EnsureKeyPair(dir, "tokens"))
	first, err := os.ReadFile(filepath.Join(dir, "tokens.pub"))
	require.NoError(t, err)
	require.NoError(t, EnsureKeyPair(dir, "tokens"))
	second, err := os.ReadFile(filepath.Join(dir, "tokens.pub"))
	require.NoError(t, err)
	require.Equal(t, first, second, "tokens signed before a restart stay good")
}
