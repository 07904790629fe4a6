package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/agentidentity"
	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Where the worker keeps what it needs to be the agent.
const (
	workerNamespace = "queueyard-system"
	hubSecret       = "queueyard-hub"
	hubKubeconfig   = "kubeconfig"
	hubToken        = "token"
	// expiresAnnotation on the Secret says until when its token is good.
	expiresAnnotation = "queueyard.io/token-expires"
)

// join is the command line of 'qy agents join'.
type join struct {
	shell       *Shell
	name        string
	namespace   string
	concurrency int32
	server, ca  string
	lifetime    time.Duration
	revoke      bool
	dryRun      string
	output      string
	changed     func(flag string) bool
}

func newAgentsJoin(s *Shell) *cobra.Command {
	j := &join{shell: s}
	cmd := &cobra.Command{
		Use:   "join NAME",
		Short: "Make an agent of another cluster, and print what to apply there",
		Long: `Makes an agent of another cluster: the Agent, its namespace queueyard-agent-NAME at the hub (this cluster), and in it
an identity that may touch nothing else. Prints a Secret for the other cluster, the worker; what to do with it follows as
comments on standard error.

Doing it again is how the token is replaced: apply the new Secret; the agent reads it within minutes and needs no restart. Tokens
that were given before stay good until they expire; --revoke makes them invalid at once.`,
		Example: `  qy agents join gpu-east | kubectl --context worker apply -f -
  qy agents join gpu-east --namespace ml --concurrency 16 --hub-server https://hub.example.com:6443 | kubectl --context worker apply -f -
  qy agents join gpu-east -o kubeconfig > hub.kubeconfig      # for an agent that runs outside of any cluster`,
		Args:              exactly("NAME"),
		ValidArgsFunction: s.completeNames(true, agentKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			j.name, j.changed = args[0], cmd.Flags().Changed
			return j.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&j.namespace, "namespace", "n", "", "namespace of the worker in which pods run (default: the operation's own)")
	flags.Int32Var(&j.concurrency, "concurrency", v1alpha1.Unlimited, "how many operations it may run at a time; -1 is unlimited")
	flags.StringVar(&j.server, "hub-server", "", "address at which the worker reaches the API server of the hub (default: that of the current context)")
	flags.StringVar(&j.ca, "hub-certificate-authority", "", "file with the certificate authority of that address (default: that of the current context)")
	flags.DurationVar(&j.lifetime, "token-duration", 365*24*time.Hour, "how long the token is good; the API server of the hub may allow less")
	flags.BoolVar(&j.revoke, "revoke", false, "make all earlier tokens of the agent invalid")
	flags.StringVar(&j.dryRun, "dry-run", "none", "client: change nothing, and print what would be made at the hub")
	flags.StringVarP(&j.output, "output", "o", "secret", "what to print: secret, or a kubeconfig with the token in it")
	complete(cmd, "dry-run", "none", "client")
	complete(cmd, "output", "secret", "kubeconfig")
	return cmd
}

func (j *join) run(ctx context.Context) error {
	if err := j.validate(); err != nil {
		return err
	}
	c, err := j.shell.cluster()
	if err != nil {
		return err
	}
	hub, err := j.hub(c)
	if err != nil {
		return err
	}
	agent, exists, err := j.agent(ctx, c)
	if err != nil {
		return err
	}
	if j.dryRun == "client" {
		return j.preview(agent, exists)
	}
	if err := j.make(ctx, c, agent, exists); err != nil {
		return err
	}
	token, expires, err := agentidentity.Token(ctx, c.kube, j.name, j.lifetime)
	if err != nil {
		return err
	}
	if j.output == "kubeconfig" {
		text, err := agentidentity.Kubeconfig(j.name, hub, token, "")
		if err != nil {
			return err
		}
		_, err = j.shell.Out.Write(text)
		j.notes(hub, expires)
		return err
	}
	kubeconfig, err := agentidentity.Kubeconfig(j.name, hub, "", hubToken)
	if err != nil {
		return err
	}
	if err := printYAML(j.shell.Out, secret(kubeconfig, token, expires)); err != nil {
		return err
	}
	j.notes(hub, expires)
	return nil
}

// longestAgent is how long the name of a remote agent may be, as its namespace carries it.
const longestAgent = validation.DNS1123LabelMaxLength - len(v1alpha1.AgentNamespacePrefix)

func (j *join) validate() error {
	switch problems := validation.IsDNS1123Label(j.name); {
	case len(problems) > 0:
		return fmt.Errorf("%q is no name for an agent: use at most %d lower-case letters, digits and dashes, with a letter or digit at both ends", j.name, longestAgent)
	case len(j.name) > longestAgent:
		return fmt.Errorf("agent %q: its namespace at the hub is %s…, which leaves %d characters for the name, and it has %d: choose a shorter one",
			j.name, v1alpha1.AgentNamespacePrefix, longestAgent, len(j.name))
	case j.name == v1alpha1.DefaultName:
		return fmt.Errorf("agent %q is the one that serves queues which name none, in this cluster: choose another name", j.name)
	}
	if problems := validation.IsDNS1123Label(j.namespace); j.namespace != "" && len(problems) > 0 {
		return fmt.Errorf("--namespace %q is no name of a namespace: use lower-case letters, digits and dashes", j.namespace)
	}
	if j.concurrency < v1alpha1.Unlimited {
		return fmt.Errorf("--concurrency is %d: write 0 or more, or -1 for unlimited", j.concurrency)
	}
	const shortest = 10 * time.Minute
	if j.lifetime < shortest {
		return fmt.Errorf("--token-duration is %s: the API server gives no token for less than %s", j.lifetime, shortest)
	}
	if j.dryRun != "none" && j.dryRun != "client" {
		return fmt.Errorf("--dry-run is %q: write none or client", j.dryRun)
	}
	if j.output != "secret" && j.output != "kubeconfig" {
		return fmt.Errorf("--output is %q: write secret or kubeconfig", j.output)
	}
	return nil
}

// hub is how the worker reaches this cluster.
func (j *join) hub(c *cluster) (agentidentity.Hub, error) {
	hub := agentidentity.Hub{Server: c.config.Host, CA: c.config.CAData, TLSServerName: c.config.ServerName}
	file := c.config.CAFile
	if j.server != "" {
		address, err := url.Parse(j.server)
		if err != nil || address.Scheme != "https" || address.Host == "" {
			return hub, fmt.Errorf("--hub-server %q is no address: write https://HOST:PORT", j.server)
		}
		hub.Server, hub.TLSServerName = j.server, ""
	}
	if j.ca != "" {
		file, hub.CA = j.ca, nil
	}
	if len(hub.CA) == 0 && file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return hub, fmt.Errorf("certificate authority of the hub: %w", err)
		}
		hub.CA = data
	}
	if len(hub.CA) == 0 && c.config.Insecure {
		return hub, fmt.Errorf("the context does not verify the API server, and an agent must: give --hub-certificate-authority")
	}
	return hub, nil
}

// agent is the Agent as it is to be.
func (j *join) agent(ctx context.Context, c *cluster) (a *v1alpha1.Agent, exists bool, err error) {
	a = &v1alpha1.Agent{}
	err = c.Get(ctx, client.ObjectKey{Name: j.name}, a)
	switch {
	case apierrors.IsNotFound(err):
		a = &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: j.name}}
		a.Spec.Remote = true
		return a, false, nil
	case err != nil:
		return nil, false, err
	case !a.Spec.Remote:
		return nil, false, fmt.Errorf("agent %q exists and is of this cluster: choose another name, or delete it first", j.name)
	case a.DeletionTimestamp != nil:
		return nil, false, fmt.Errorf("agent %q is being deleted: join it when it is gone", j.name)
	case a.Spec.State == v1alpha1.AgentEvicted:
		return nil, false, fmt.Errorf("agent %q is evicted and does nothing: qy agents open %s lets it begin again; then join it", j.name, j.name)
	}
	return a, true, nil
}

// set writes what the flags say into the Agent.
func (j *join) set(a *v1alpha1.Agent) {
	if j.changed("namespace") {
		a.Spec.Namespace = j.namespace
	}
	if j.changed("concurrency") {
		a.Spec.Concurrency = &j.concurrency
	}
}

func (j *join) preview(a *v1alpha1.Agent, exists bool) error {
	j.set(a)
	objects := append([]client.Object{a}, agentidentity.Objects(j.name)...)
	does := "made"
	if exists {
		does = "made or updated"
	}
	fmt.Fprintf(j.shell.ErrOut, "# Nothing was done. This would be %s at the hub; the Secret for the worker is printed when it is.\n", does)
	for _, o := range objects {
		if err := stamp(o); err != nil {
			return err
		}
		content, err := intent(o)
		if err != nil {
			return err
		}
		if err := printYAML(j.shell.Out, content); err != nil {
			return err
		}
	}
	return nil
}

func (j *join) make(ctx context.Context, c *cluster, a *v1alpha1.Agent, exists bool) error {
	var err error
	if exists {
		err = edit(ctx, c, a, func() { j.set(a) })
	} else {
		j.set(a)
		err = c.Create(ctx, a, client.FieldOwner(fieldManager))
	}
	if err != nil {
		return fmt.Errorf("agent %s: %w", j.name, err)
	}
	for _, o := range agentidentity.Objects(j.name) {
		if _, is := o.(*corev1.ServiceAccount); is && j.revoke {
			if err := client.IgnoreNotFound(c.Delete(ctx, o)); err != nil {
				return err
			}
		}
		if err := c.apply(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// apply makes an object what it is here; what others wrote into other fields stays.
func (c *cluster) apply(ctx context.Context, o client.Object) error {
	content, err := intent(o)
	if err != nil {
		return err
	}
	if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(content), client.FieldOwner(fieldManager), client.ForceOwnership); err != nil {
		return fmt.Errorf("%s %s: %w", o.GetObjectKind().GroupVersionKind().Kind, o.GetName(), err)
	}
	return nil
}

// intent is an object without what others write into it.
func intent(o client.Object) (*unstructured.Unstructured, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, err
	}
	delete(content, "status")
	for _, field := range []string{"creationTimestamp", "resourceVersion", "uid", "generation", "managedFields"} {
		unstructured.RemoveNestedField(content, "metadata", field)
	}
	return &unstructured.Unstructured{Object: content}, nil
}

// secret is what the worker mounts: a kubeconfig, and the token in a file of its own, which can be replaced while it is used.
func secret(kubeconfig []byte, token string, expires time.Time) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: workerNamespace, Name: hubSecret,
			Annotations: map[string]string{expiresAnnotation: expires.UTC().Format(time.RFC3339)},
		},
		Type:       corev1.SecretTypeOpaque,
		StringData: map[string]string{hubKubeconfig: string(kubeconfig), hubToken: token},
	}
}

func printYAML(to io.Writer, o client.Object) error {
	if _, err := fmt.Fprintln(to, "---"); err != nil {
		return err
	}
	return (&printers.YAMLPrinter{}).PrintObj(o, to)
}

// notes say what comes next, where it does not get into what is applied.
func (j *join) notes(hub agentidentity.Hub, expires time.Time) {
	var text strings.Builder
	fmt.Fprintf(&text, "# Agent %s may touch namespace %s of the hub %s, and nothing else there.\n", j.name, v1alpha1.AgentNamespace(j.name), hub.Server)
	fmt.Fprintf(&text, "# The token is good until %s: before then, do this again and apply what it prints.\n", expires.In(j.shell.Zone).Format("2006-01-02 15:04"))
	if wanted := j.shell.Now().Add(j.lifetime); expires.Before(wanted.Add(-time.Hour)) {
		fmt.Fprintf(&text, "# That is less than --token-duration %s: the API server of the hub gives no longer ones.\n", j.lifetime)
	}
	if loopback(hub.Server) {
		fmt.Fprintf(&text, "# Only this machine reaches %s: for a worker elsewhere give --hub-server.\n", hub.Server)
	}
	file := "FILE"
	if j.output == "secret" {
		file = "/etc/queueyard-hub/" + hubKubeconfig
		fmt.Fprintf(&text, "# Next, in the worker, where Queueyard is installed:\n")
		fmt.Fprintf(&text, "#   1. Apply the Secret (| kubectl --context WORKER apply -f -), and mount %s/%s at /etc/queueyard-hub.\n", workerNamespace, hubSecret)
	} else {
		fmt.Fprintf(&text, "# Next, at the worker:\n")
		fmt.Fprintf(&text, "#   1. Keep what was printed in a FILE that only the agent reads.\n")
	}
	fmt.Fprintf(&text, "#   2. Run queueyard-controller there with --agent %s --hub-kubeconfig %s.\n", j.name, file)
	fmt.Fprintf(&text, "#   3. Here, qy agents describe %s says when it is in contact; give queues spec.agent: %s.\n", j.name, j.name)
	_, _ = fmt.Fprint(j.shell.ErrOut, text.String()) // it is beside the point where standard error is closed
}

func loopback(server string) bool {
	address, err := url.Parse(server)
	if err != nil {
		return false
	}
	ip := net.ParseIP(address.Hostname())
	return address.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
