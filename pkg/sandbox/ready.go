package sandbox

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/sandbox/cluster"
	"github.com/queueyard/queueyard/pkg/sandbox/simulation"
)

// waitReady waits for every component that runs in the sandbox, also those of an earlier run of up.
func (u *up) waitReady(ctx context.Context, s *Sandbox) error {
	probes, err := u.probes(s)
	if err != nil {
		return err
	}
	for _, c := range u.components {
		if probe := probes[c.Name]; probe != nil {
			if err := u.waitFor(ctx, c.Name, probe); err != nil {
				return err
			}
		}
	}
	return nil
}

func (u *up) probes(s *Sandbox) (map[string]func(context.Context) error, error) {
	ca, err := os.ReadFile(s.dir.Cert(cluster.CA))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	probe := func(url string) func(context.Context) error {
		return func(ctx context.Context) error { return get(ctx, client, url) }
	}
	probes := map[string]func(context.Context) error{
		SimulatedNodes: u.simulatedNodesReady,
		ProcessNode:    u.processNodeReady,
		Controller:     probe("http://" + cluster.Loopback(s.state.Ports.ControllerHealth) + "/readyz"),
	}
	for i, ports := range s.state.Ports.Schedulers {
		probes[SchedulerReplica(i)] = probe("https://" + cluster.Loopback(ports.Secure) + "/readyz")
	}
	return probes, nil
}

func (u *up) simulatedNodesReady(ctx context.Context) error {
	total, ready, err := simulation.Count(ctx, u.client)
	if err != nil {
		return err
	}
	if ready < total || total < u.options.SimulatedNodes {
		return fmt.Errorf("%d of %d simulated nodes are ready", ready, max(total, u.options.SimulatedNodes))
	}
	return nil
}

func (u *up) processNodeReady(ctx context.Context) error {
	node, err := u.client.CoreV1().Nodes().Get(ctx, ProcessNode, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if !simulation.NodeReady(node) {
		return errors.New("node " + ProcessNode + " is not ready")
	}
	return nil
}

func get(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: %s", url, response.Status, body)
	}
	return nil
}
