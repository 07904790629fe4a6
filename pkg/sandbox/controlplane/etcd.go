package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"go.etcd.io/etcd/server/v3/embed"

	"github.com/queueyard/queueyard/pkg/sandbox/layout"
)

// etcd listens on sockets in the sandbox's own directory, which only its owner can enter: no port, no certificates,
// and no encryption to pay for inside one process. The paths are relative because socket paths must be short. The
// colon and number are part of the files' names: etcd insists on a host and a port.
const (
	clientSocket = "unix://etcd.sock:1"
	peerSocket   = "unix://etcd.sock:2"
)

const databaseLimit = 8 << 30

func startEtcd(ctx context.Context, dir layout.Dir) (*embed.Etcd, error) {
	config := embed.NewConfig()
	config.Dir = dir.Etcd()
	config.LogLevel = "warn"
	// Left at zero, every single request would be logged as a slow one.
	config.WarningUnaryRequestDuration = embed.DefaultWarningUnaryRequestDuration
	// Data need not survive a power cut, only the end of the process.
	config.UnsafeNoFsync = true
	config.QuotaBackendBytes = databaseLimit
	config.AutoCompactionMode = embed.CompactorModePeriodic
	config.AutoCompactionRetention = "10m"
	client, peer := []url.URL{mustParse(clientSocket)}, []url.URL{mustParse(peerSocket)}
	config.ListenClientUrls, config.AdvertiseClientUrls = client, client
	config.ListenPeerUrls, config.AdvertisePeerUrls = peer, peer
	config.InitialCluster = config.InitialClusterFromName(config.Name)

	store, err := embed.StartEtcd(config)
	if err != nil {
		return nil, fmt.Errorf("etcd in %s: %w", dir.Etcd(), err)
	}
	select {
	case <-store.Server.ReadyNotify():
		return store, nil
	case err = <-store.Err():
	case <-store.Server.StopNotify():
		err = errors.New("stopped while starting")
	case <-ctx.Done():
		err = ctx.Err()
	}
	store.Close()
	return nil, fmt.Errorf("etcd in %s: %w", dir.Etcd(), err)
}

// lasts returns when the context ends or etcd fails.
func lasts(ctx context.Context, store *embed.Etcd) error {
	select {
	case err := <-store.Err():
		return fmt.Errorf("etcd: %w", err)
	case <-ctx.Done():
		return nil
	}
}

func mustParse(raw string) url.URL {
	u, err := url.Parse(raw)
	if err != nil {
		panic(err)
	}
	return *u
}
