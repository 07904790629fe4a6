package manager

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"net/http"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/controllers/agent"
	"github.com/queueyard/queueyard/pkg/controllers/division"
	"github.com/queueyard/queueyard/pkg/controllers/hub"
	"github.com/queueyard/queueyard/pkg/controllers/operation"
	"github.com/queueyard/queueyard/pkg/controllers/queue"
	"github.com/queueyard/queueyard/pkg/controllers/tenant"
	"github.com/queueyard/queueyard/pkg/controllers/workflow"
	"github.com/queueyard/queueyard/pkg/setback"
	"github.com/queueyard/queueyard/pkg/webhook"
	"github.com/queueyard/queueyard/pkg/webhook/certificate"
)

const (
	// leaseName is also the service account's name.
	leaseName         = "queueyard-controller"
	certificateSecret = "queueyard-webhook-certificate"
	// renewDeadline is how long a leader goes on that can't renew its lease.
	renewDeadline = 10 * time.Second
	// cacheCheckTimeout is how long a readiness check waits for the caches.
	cacheCheckTimeout = 100 * time.Millisecond
	// clientQPS bounds this process's own requests; admission reads come from caches.
	clientQPS, clientBurst = 1000, 2000
)

// The lease of the leader, and what is told of it.
//
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=queueyard-system,resources=leases,verbs=create
// +kubebuilder:rbac:groups=coordination.k8s.io,namespace=queueyard-system,resources=leases,resourceNames=queueyard-controller,verbs=get;update
// +kubebuilder:rbac:groups="";events.k8s.io,namespace=queueyard-system,resources=events,verbs=create;patch

// Who reads metrics is asked who it is, and whether it may.
//
// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

// Run serves webhooks and runs controllers until the context ends.
func Run(ctx context.Context, o *Options) (err error) {
	config, err := clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = clientQPS, clientBurst
	secret := types.NamespacedName{Namespace: systemNamespace, Name: certificateSecret}
	rotation, err := certificate.New(certificate.Options{
		Secret:        secret,
		DNSNames:      o.WebhookDNSNames,
		Configuration: webhook.ConfigurationName,
		External:      !o.RotateCertificate,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rotation.Close()) }()
	serves, err := o.agent()
	if err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	lock, err := newLock(ctx, config, o, end)
	if err != nil {
		return err
	}
	mgr, err := newManager(config, o, lock, secret, rotation)
	if err != nil {
		return err
	}
	if err := setup(ctx, mgr, o, serves, rotation); err != nil {
		return err
	}
	if err := mgr.Start(ctx); err != nil {
		return err
	}
	if cause := context.Cause(ctx); errors.Is(cause, setback.ErrSetBack) {
		return cause
	}
	return nil
}

// newLock is the lease of the leader. Whoever reads that it was set back ends.
func newLock(ctx context.Context, config *rest.Config, o *Options, end func(error)) (resourcelock.Interface, error) {
	if !o.LeaderElect {
		return nil, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	me := host + "_" + string(uuid.NewUUID())
	events := record.NewBroadcaster(record.WithContext(ctx))
	events.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events("")})
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, systemNamespace, leaseName, resourcelock.ResourceLockConfig{
		Identity: me, EventRecorder: events.NewRecorder(clientgoscheme.Scheme, corev1.EventSource{Component: me}),
	}, config, renewDeadline)
	if err != nil {
		return nil, err
	}
	return lock, setback.Notice(lock, end)
}

func newManager(config *rest.Config, o *Options, lock resourcelock.Interface, secret types.NamespacedName, rotation *certificate.Rotation) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	cached := operation.CachedObjects()
	maps.Copy(cached, workflow.CachedObjects())
	maps.Copy(cached, hub.CachedObjects())
	if o.Agent != "" {
		maps.Copy(cached, agent.CachedObjects())
	}
	// No other secret is any business of this process.
	cached[&corev1.Secret{}] = cache.ByObject{
		Namespaces: map[string]cache.Config{secret.Namespace: {}},
		Field:      fields.OneTermEqualSelector("metadata.name", secret.Name),
	}
	return ctrl.NewManager(config, ctrl.Options{
		Scheme:                              scheme,
		Cache:                               cache.Options{ByObject: cached},
		LeaderElection:                      o.LeaderElect,
		LeaderElectionResourceLockInterface: lock,
		RenewDeadline:                       ptr.To(renewDeadline),
		LeaderElectionReleaseOnCancel:       true,
		HealthProbeBindAddress:              o.HealthAddress,
		Metrics: metricsserver.Options{
			BindAddress:    o.MetricsAddress,
			SecureServing:  true,
			FilterProvider: filters.WithAuthenticationAndAuthorization,
			TLSOpts:        []func(*tls.Config){rotation.Configure},
		},
		WebhookServer: ctrlwebhook.NewServer(ctrlwebhook.Options{
			Port:    o.WebhookPort,
			TLSOpts: []func(*tls.Config){rotation.Configure},
		}),
	})
}

// agent is which agent this is, and of which hub; nil: none.
func (o *Options) agent() (*agent.Options, error) {
	switch {
	case o.Agent == "" && o.HubKubeconfig == "":
		return nil, nil
	case o.Agent == "":
		return nil, errors.New("--hub-kubeconfig needs --agent: the name of the agent at the hub")
	}
	options, err := agent.Config(o.Agent, o.HubKubeconfig)
	return &options, err
}

func setup(ctx context.Context, mgr ctrl.Manager, o *Options, serves *agent.Options, rotation *certificate.Rotation) error {
	for _, object := range webhook.CachedObjects() {
		if _, err := mgr.GetCache().GetInformer(ctx, object, cache.BlockUntilSynced(false)); err != nil {
			return err
		}
	}
	if err := rotation.Setup(mgr); err != nil {
		return err
	}
	var options []operation.Option
	if serves != nil {
		copies, err := agent.Setup(mgr, *serves)
		if err != nil {
			return err
		}
		options = append(options, operation.WithCopies(copies))
	}
	webhook.Register(mgr.GetWebhookServer(), mgr.GetClient(), mgr.GetAPIReader(), o.DefaultQueue)
	return errors.Join(
		queue.Setup(mgr),
		operation.Setup(mgr, o.DefaultQueue, options...),
		workflow.Setup(mgr),
		hub.Setup(mgr),
		tenant.SetupProjects(mgr),
		tenant.SetupOrganizations(mgr),
		division.Setup(mgr),
		mgr.AddHealthzCheck("ping", healthz.Ping),
		mgr.AddReadyzCheck("webhook", inOrder(cachesReady(mgr.GetCache()), rotation.Ready, mgr.GetWebhookServer().StartedChecker())),
	)
}

// inOrder stops at the first check that fails: the server cannot answer before it has a certificate.
func inOrder(checks ...healthz.Checker) healthz.Checker {
	return func(req *http.Request) error {
		for _, check := range checks {
			if err := check(req); err != nil {
				return err
			}
		}
		return nil
	}
}

func cachesReady(c cache.Cache) healthz.Checker {
	return func(req *http.Request) error {
		ctx, cancel := context.WithTimeout(req.Context(), cacheCheckTimeout)
		defer cancel()
		if !c.WaitForCacheSync(ctx) {
			return errors.New("the caches are not filled yet")
		}
		return nil
	}
}
