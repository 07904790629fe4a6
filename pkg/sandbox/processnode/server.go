package processnode

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net/http"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/queueyard/queueyard/pkg/sandbox/cluster"
	"github.com/queueyard/queueyard/pkg/sandbox/layout"
)

// newServer answers the API server's requests for logs, and nobody else's.
func newServer(dir layout.Dir, pods *manager) (*http.Server, error) {
	certificate, err := tls.LoadX509KeyPair(dir.Cert(cluster.Kubelet), dir.Key(cluster.Kubelet))
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(dir.Cert(cluster.CA))
	if err != nil {
		return nil, err
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(ca)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", pods.serveLogs)
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: requestTimeout,
		TLSConfig: &tls.Config{
			MinVersion:   tls.VersionTLS12,
			Certificates: []tls.Certificate{certificate},
			ClientAuth:   tls.RequireAndVerifyClientCert,
			ClientCAs:    clients,
			VerifyConnection: func(state tls.ConnectionState) error {
				if user := state.PeerCertificates[0].Subject.CommonName; user != cluster.KubeletClientUser {
					return fmt.Errorf("client %q is not the API server", user)
				}
				return nil
			},
		},
	}, nil
}

func (m *manager) serveLogs(response http.ResponseWriter, request *http.Request) {
	query, err := parseLogQuery(request.URL.Query(), time.Now())
	if err != nil {
		http.Error(response, err.Error(), http.StatusBadRequest)
		return
	}
	namespace, name, container := request.PathValue("namespace"), request.PathValue("pod"), request.PathValue("container")
	w := m.find(namespace, name)
	if w == nil {
		http.Error(response, fmt.Sprintf("the process node no longer has pod %s/%s", namespace, name), http.StatusNotFound)
		return
	}
	status, ok := w.reporter.containerStatus(container)
	if !ok {
		http.Error(response, fmt.Sprintf("pod %s/%s has no container %q", namespace, name, container), http.StatusNotFound)
		return
	}
	run := int(status.RestartCount)
	if query.previous {
		run--
	}
	path := logPath((&containerRunner{worker: w, spec: &corev1.Container{Name: container}}).dir(), run)
	ended := func() bool {
		now, _ := w.reporter.containerStatus(container)
		return query.previous || now.State.Running == nil || int(now.RestartCount) != run
	}
	response.Header().Set("Content-Type", "text/plain")
	flusher := http.NewResponseController(response)
	err = streamLog(request.Context(), path, query, ended, response, func() { _ = flusher.Flush() })
	switch {
	case errors.Is(err, fs.ErrNotExist) && query.previous:
		http.Error(response, fmt.Sprintf("previous terminated container %q in pod %q not found", container, name), http.StatusBadRequest)
	case errors.Is(err, fs.ErrNotExist):
		http.Error(response, fmt.Sprintf("container %q in pod %q is waiting to start", container, name), http.StatusBadRequest)
	case err != nil:
		log.Printf("logs of %s/%s: %v", namespace, name, err)
	}
}
