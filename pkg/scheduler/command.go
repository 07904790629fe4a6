// Package scheduler is kube-scheduler with queues: a waiting room in front of its queue, fed by
// informers, emptied by the ledger's decisions, and the plugins that make those decisions hold.
package scheduler

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/component-base/cli/globalflag"
	"k8s.io/component-base/compatibility"
	"k8s.io/component-base/featuregate"
	"k8s.io/component-base/logs"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/component-base/term"
	kubeversion "k8s.io/component-base/version"
	"k8s.io/component-base/version/verflag"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/cmd/kube-scheduler/app"
	schedulerserverconfig "k8s.io/kubernetes/cmd/kube-scheduler/app/config"
	"k8s.io/kubernetes/cmd/kube-scheduler/app/options"
	kubescheduler "k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/utils/clock"
	_ "sigs.k8s.io/scheduler-plugins/apis/config/scheme" // the arguments of Coscheduling
	"sigs.k8s.io/scheduler-plugins/pkg/coscheduling"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/ledger"
	_ "github.com/queueyard/queueyard/pkg/scheduler/config/scheme" // the plugins' arguments
	"github.com/queueyard/queueyard/pkg/setback"
	"github.com/queueyard/queueyard/pkg/version"
	"github.com/queueyard/queueyard/pkg/visibility"
)

// NewCommand is kube-scheduler's command with every flag and plugin of the stock one, and ours.
func NewCommand() *cobra.Command {
	opts := options.NewOptions()
	visible := visibility.NewOptions()
	cmd := &cobra.Command{
		Use:   "queueyard-scheduler",
		Short: "A kube-scheduler whose profiles may hold pods in queues",
		Long: `A kube-scheduler whose profiles may hold pods in queues. It has every flag and plugin of
kube-scheduler; profiles that enable QueueOrder and QueueGate serve queues.`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			// client-go's own warnings belong in the log, and gates must be set before use.
			rest.SetDefaultWarningHandler(rest.NoWarnings{})
			return opts.ComponentGlobalsRegistry.Set()
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flag("version").Changed {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "queueyard-scheduler %s (Kubernetes %s)\n", version.String(), kubeversion.Get())
				return err
			}
			return run(opts, visible)
		},
	}
	flags := opts.Flags
	visible.AddFlags(flags.FlagSet("visibility"))
	verflag.AddFlags(flags.FlagSet("global"))
	globalflag.AddGlobalFlags(flags.FlagSet("global"), cmd.Name(), logs.SkipLoggingConfigurationFlags())
	for _, set := range flags.FlagSets {
		cmd.Flags().AddFlagSet(set)
	}
	columns, _, _ := term.TerminalSize(cmd.OutOrStdout())
	cliflag.SetUsageAndHelpFunc(cmd, *flags, columns)
	return cmd
}

func run(opts *options.Options, visible *visibility.Options) error {
	gates := opts.ComponentGlobalsRegistry.FeatureGateFor(compatibility.DefaultKubeComponent)
	if err := logsapi.ValidateAndApply(opts.Logs, gates); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := server.SetupSignalHandler()
	go func() {
		<-stop
		cancel()
	}()

	room := newRoom(clock.RealClock{})
	completed, sched, err := app.Setup(ctx, opts,
		app.WithPlugin(QueueOrderName, room.newQueueOrder),
		app.WithPlugin(QueueGateName, room.newQueueGate),
		app.WithPlugin(coscheduling.Name, newGangPlacement))
	if err != nil {
		return err
	}
	gates.(featuregate.MutableFeatureGate).AddMetrics()
	opts.ComponentGlobalsRegistry.AddMetrics()
	if err := room.serveVisibility(ctx, opts, visible, completed); err != nil {
		return err
	}
	if err := room.open(ctx, completed, sched); err != nil {
		return err
	}
	klog.FromContext(ctx).Info("Starting Queueyard", "version", version.String())
	err = app.Run(ctx, completed, sched)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func newRoom(clock clock.WithTicker) *Room {
	return &Room{
		clock:     clock,
		ready:     newReadiness(),
		profiles:  map[string]bool{},
		gates:     map[string][]fwk.PreEnqueuePlugin{},
		wake:      make(chan struct{}, 1),
		ledger:    ledger.New(),
		directory: newDirectory(),
		entries:   map[types.UID]*entry{},
		idle:      map[types.UID]*entry{},
		changes:   newChanges(),
		preempt:   newPreemption(),
		accounts:  map[accountKey]*account{},
		enforced:  map[accountKey]*v1alpha1.EnforcedLimits{},
		turnovers: map[string]*turnover{},
		vacancies: map[string][]time.Time{},
		announce:  func(context.Context) {},
	}
}

// open puts the room in the place of the scheduler's queue. Without a profile that serves queues
// the scheduler stays the stock one.
func (r *Room) open(ctx context.Context, cc *schedulerserverconfig.CompletedConfig, sched *kubescheduler.Scheduler) error {
	if len(r.profiles) == 0 {
		return nil
	}
	registerMetrics()
	registerQueueMetrics(r)
	client, err := newRESTClient(cc.KubeConfig)
	if err != nil {
		return fmt.Errorf("making a client for queueyard.io: %w", err)
	}
	groups, err := newPodGroupClient(cc.KubeConfig)
	if err != nil {
		return fmt.Errorf("making a client for PodGroups: %w", err)
	}
	ours := newInformerSet(client, groups)
	if err := r.watch(cc.InformerFactory, ours); err != nil {
		return fmt.Errorf("watching pods and queues: %w", err)
	}
	cc.InformerFactory = patientInformers{cc.InformerFactory, r.ready}
	if cc.Authorization.Authorizer != nil { // else nothing is served
		cc.Authorization.Authorizer = readyGate{cc.Authorization.Authorizer, r.ready}
	}
	if election := cc.LeaderElection; election != nil {
		if err := setback.Notice(election.Lock, exitSetBack); err != nil {
			return err
		}
		r.fence = newFence(election.Lock, r.clock, election.RenewDeadline, exitDeposed)
		election.Lock = r.fence
		for profile := range r.profiles {
			sched.Profiles[profile] = fencedProfile{sched.Profiles[profile], r.fence}
		}
	}
	ours.run(ctx)
	recorders := map[string]events.EventRecorderLogger{}
	for profile := range r.profiles {
		r.gates[profile] = sched.Profiles[profile].PreEnqueuePlugins()
		recorders[profile] = sched.Profiles[profile].EventRecorder()
	}
	workers := []func(context.Context){
		r.pump,
		r.accountant,
		(&reporter{r, cc.Client, recorders}).run,
		(&evictor{r, cc.Client, recorders}).run,
		(&statusWriter{r, client}).run,
		r.announce,
		(&sweeper{room: r, pods: cc.InformerFactory.Core().V1().Pods().Lister()}).run,
	}
	r.SchedulingQueue, sched.SchedulingQueue = sched.SchedulingQueue, r
	r.onRun = func() {
		r.ready.elected()
		go r.lead(ctx, cc, client, workers)
	}
	return nil
}

// adoptRetry is how long to wait before asking the API server again.
const adoptRetry = time.Second

// lead begins to admit: after everything has been seen once, and after a look at what the API
// server itself says of tenants' limits and of what is on nodes.
func (r *Room) lead(ctx context.Context, cc *schedulerserverconfig.CompletedConfig, ours *rest.RESTClient, workers []func(context.Context)) {
	logger := klog.FromContext(ctx)
	if !r.ready.synced(ctx.Done()) {
		return
	}
	for {
		err := r.adoptTenants(ctx, ours)
		if err == nil {
			err = r.adopt(ctx, cc.Client)
		}
		if err == nil {
			err = r.catchUp(ctx, cc.Client)
		}
		if err == nil {
			break
		}
		logger.Error(err, "Cannot see what limits tenants have and what is on nodes; nothing is admitted until then")
		select {
		case <-ctx.Done():
			return
		case <-r.clock.After(adoptRetry):
		}
	}
	r.pumpDry(ctx)
	r.ready.serving()
	logger.Info("Leading: queues are served", "pods", r.size())
	for _, worker := range workers {
		go worker(ctx)
	}
}

// size is how many pods the room knows.
func (r *Room) size() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.entries)
}
