package controlplane

import (
	"context"
	"strconv"
	"time"

	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"

	"github.com/queueyard/queueyard/pkg/sandbox/cluster"
	"github.com/queueyard/queueyard/pkg/sandbox/layout"
)

func apiServerFlags(o Options) []string {
	dir := o.Dir
	// A loopback address is not allowed in Endpoints, so the "kubernetes" service gets none.
	reach := []string{"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none"}
	if o.Address != "" {
		reach = []string{"--bind-address=0.0.0.0", "--advertise-address=" + o.Address}
	}
	return append(reach,
		"--etcd-servers="+clientSocket,
		"--secure-port="+strconv.Itoa(o.Port),
		"--service-cluster-ip-range="+cluster.ServiceRange,
		"--allow-privileged=true",

		"--authorization-mode=Node,RBAC",
		"--anonymous-auth=false",
		"--enable-admission-plugins=NodeRestriction",
		"--client-ca-file="+dir.Cert(cluster.CA),
		"--tls-cert-file="+dir.Cert(cluster.APIServer),
		"--tls-private-key-file="+dir.Key(cluster.APIServer),

		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+serviceAccountPublicKey(dir),
		"--service-account-signing-key-file="+dir.Key(cluster.ServiceAccounts),

		"--kubelet-certificate-authority="+dir.Cert(cluster.CA),
		"--kubelet-client-certificate="+dir.Cert(cluster.KubeletClient),
		"--kubelet-client-key="+dir.Key(cluster.KubeletClient),
		"--kubelet-preferred-address-types=InternalIP",

		"--requestheader-client-ca-file="+dir.Cert(cluster.FrontProxyCA),
		"--requestheader-allowed-names="+cluster.FrontProxyClient,
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file="+dir.Cert(cluster.FrontProxyClient),
		"--proxy-client-key-file="+dir.Key(cluster.FrontProxyClient),

		// One machine's programs share this server: it should be limited by the processor, not by a count.
		"--max-requests-inflight=3000",
		"--max-mutating-requests-inflight=1000",
	)
}

func serviceAccountPublicKey(dir layout.Dir) string {
	return dir.PKI() + "/" + cluster.ServiceAccounts + ".pub"
}

func runAPIServer(ctx context.Context, o Options) error {
	s := options.NewServerRunOptions()
	if err := parseFlags(s.Flags(), apiServerFlags(o)); err != nil {
		return err
	}
	if err := s.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return err
	}
	// The server's calls to itself should not log the warnings it gives.
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	completed, err := s.Complete(ctx)
	if err != nil {
		return err
	}
	if errs := completed.Validate(); len(errs) > 0 {
		return utilerrors.NewAggregate(errs)
	}
	return app.Run(ctx, completed)
}

// waitForAPIServer waits until the server's start-up hooks are done, among them the roles the controllers need.
func waitForAPIServer(ctx context.Context, dir layout.Dir) error {
	config, err := cluster.AdminConfig(dir)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	return wait.PollUntilContextCancel(ctx, 20*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		_, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		return err == nil, nil
	})
}
