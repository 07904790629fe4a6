package visibility

import (
	"bytes"
	"encoding/pem"
	"errors"
	"sync"
	"time"

	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/util/cert"
)

// defaultHost is the name under which the API server calls the Service of the manifests.
const defaultHost = "queueyard-visibility.queueyard-system.svc"

const (
	certificateLifetime = 365 * 24 * time.Hour
	certificateRenewal  = certificateLifetime / 2
)

// pair is a serving certificate with the authority that signed it and nothing else: its key is gone.
type pair struct {
	host           string
	made           time.Time
	crt, key, root []byte
}

// newPair makes a certificate. Nobody but the process has its key, in memory: the next leader makes
// its own and publishes that.
func newPair(host string) (*pair, error) {
	chain, key, err := cert.GenerateSelfSignedCertKeyWithOptions(cert.SelfSignedCertKeyOptions{Host: host, MaxAge: certificateLifetime})
	if err != nil {
		return nil, err
	}
	_, root := pem.Decode(chain) // the certificate itself comes first, then its authority
	if len(root) == 0 {
		return nil, errors.New("the certificate made has no authority")
	}
	return &pair{host, time.Now(), chain, key, root}, nil
}

// certificate is the one served, and while it is exchanged the next one.
type certificate struct {
	mu            sync.Mutex
	current, next *pair
	listeners     []dynamiccertificates.Listener
}

func newCertificate(host string) (*certificate, error) {
	current, err := newPair(host)
	return &certificate{current: current}, err
}

// Name, CurrentCertKeyContent and AddListener are what a TLS server asks.
func (*certificate) Name() string { return "visibility" }

func (c *certificate) CurrentCertKeyContent() (crt, key []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current.crt, c.current.key
}

func (c *certificate) AddListener(l dynamiccertificates.Listener) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listeners = append(c.listeners, l)
}

// roots is what clients must trust now; a certificate that is too old, for another host, or made by a clock that was
// ahead, gets a successor, whose authority is among them.
func (c *certificate) roots(host string, now time.Time) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// By the wall clock: it is what certificates are valid by.
	age := now.Round(0).Sub(c.current.made.Round(0))
	if c.next == nil && (c.current.host != host || age > certificateRenewal || age < 0) {
		next, err := newPair(host)
		if err != nil {
			return nil, err
		}
		c.next = next
	}
	if c.next == nil {
		return c.current.root, nil
	}
	return bytes.Join([][]byte{c.current.root, c.next.root}, nil), nil
}

// exchange serves the successor, if there is one. Clients must trust it by now.
func (c *certificate) exchange() (exchanged bool) {
	c.mu.Lock()
	listeners := c.listeners
	if exchanged = c.next != nil; exchanged {
		c.current, c.next = c.next, nil
	}
	c.mu.Unlock()
	if exchanged {
		for _, l := range listeners {
			l.Enqueue()
		}
	}
	return exchanged
}
