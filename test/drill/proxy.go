package drill

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// proxy stands between the programs and the API server, and answers in its place as long as it is told to.
type proxy struct {
	server  *httptest.Server
	forward http.Handler
	// answer decides of a request, by its number, what becomes of it; nil: all go through.
	answer atomic.Pointer[func(n int64) reply]
	asked  atomic.Int64
	spoilt atomic.Int64
	mu     sync.Mutex
	// watches are those under way.
	watches map[int64]context.CancelFunc
}

// reply is what a request gets.
type reply int

const (
	through reply = iota
	tooMany
	failed
	// silence is an answer that never comes.
	silence
)

// newProxy forwards to the API server of a configuration, with the credentials that requests carry.
func newProxy(config *rest.Config) (*proxy, error) {
	target, err := url.Parse(config.Host)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(config.CAData) {
		return nil, fmt.Errorf("the configuration of %s has no authority", config.Host)
	}
	p := &proxy{watches: map[int64]context.CancelFunc{}}
	forward := httputil.NewSingleHostReverseProxy(target)
	forward.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	forward.FlushInterval = -1                    // events of a watch are not gathered
	forward.ErrorLog = log.New(io.Discard, "", 0) // broken connections are what it is for
	forward.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) {
		w.WriteHeader(http.StatusBadGateway)
	}
	p.forward = forward
	p.server = httptest.NewUnstartedServer(p)
	p.server.EnableHTTP2 = true
	p.server.StartTLS()
	return p, nil
}

// ServeHTTP implements http.Handler.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := p.asked.Add(1)
	if answer := p.answer.Load(); answer != nil {
		if what := (*answer)(n); what != through {
			p.spoilt.Add(1)
			p.spoil(w, r, what)
			return
		}
	}
	if r.URL.Query().Get("watch") != "" {
		ctx, cancel := context.WithCancel(r.Context())
		p.mu.Lock()
		p.watches[n] = cancel
		p.mu.Unlock()
		defer func() {
			p.mu.Lock()
			delete(p.watches, n)
			p.mu.Unlock()
			cancel()
		}()
		r = r.WithContext(ctx)
	}
	p.forward.ServeHTTP(w, r)
}

func (p *proxy) spoil(w http.ResponseWriter, r *http.Request, what reply) {
	switch what {
	case tooMany:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many requests", http.StatusTooManyRequests)
	case failed:
		http.Error(w, "internal error", http.StatusInternalServerError)
	case silence:
		<-r.Context().Done()
	}
}

// spoilOne gives one of so many requests the reply; 1: every one.
func (p *proxy) spoilOne(what reply, of int64) {
	answer := func(n int64) reply {
		if n%of == 0 {
			return what
		}
		return through
	}
	p.answer.Store(&answer)
}

// heal lets everything through, also what was held back: its client hears nothing and asks again.
func (p *proxy) heal() {
	p.answer.Store(nil)
	p.server.CloseClientConnections()
}

// drop ends all watches, and says how many.
func (p *proxy) drop() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, cancel := range p.watches {
		cancel()
	}
	return len(p.watches)
}

// lead makes a program's kubeconfig lead through the proxy.
func (p *proxy) lead(kubeconfig string) error {
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return err
	}
	for _, c := range config.Clusters {
		c.Server = p.server.URL
		c.CertificateAuthorityData = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw})
	}
	return clientcmd.WriteToFile(*config, kubeconfig)
}
