package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	clientresource "k8s.io/cli-runtime/pkg/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	queueyard "github.com/queueyard/queueyard/pkg/client"
)

// run is the command line of 'qy run'.
type run struct {
	shell      *Shell
	files      []string
	image      string
	component  string
	env        []string
	requests   string
	limits     string
	labels     string
	queue      string
	project    string
	priority   int32
	params     []string
	retries    int32
	timeout    time.Duration
	ttl        time.Duration
	watch      bool
	wait       bool
	dryRun     string
	prioritise bool
}

func newRun(s *Shell) *cobra.Command {
	r := &run{shell: s}
	cmd := &cobra.Command{
		Use:   "run [NAME] --image IMAGE [-- COMMAND...] | --component COMPONENT | -f FILE",
		Short: "Run an image, a component, or what a file says",
		Long: `Creates an operation of an image and a command or of a component, or what a file says. The flags for queue, project, priority and params also hold for the
operations and workflows of a file. Without a name the operation gets one. With --watch or --wait the exit code tells what came of it.`,
		Example: `  qy run hello --image debian:stable-slim --queue cpu --watch -- bash -c 'echo hello'
  qy run --component trainer --param rate=0.1 --param layers='[64, 64]' --queue gpu --wait
  qy run -f sweep.yaml --queue night --watch`,
		RunE: func(cmd *cobra.Command, args []string) error {
			r.prioritise = cmd.Flags().Changed("priority")
			name, command, err := r.arguments(args, cmd.ArgsLenAtDash())
			if err != nil {
				return err
			}
			return r.run(cmd.Context(), name, command)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVarP(&r.files, "filename", "f", nil, "file, directory or URL of what to run; - is standard input")
	flags.StringVar(&r.image, "image", "", "image of the container")
	flags.StringVar(&r.component, "component", "", "component to run, of the same namespace")
	flags.StringArrayVarP(&r.env, "env", "e", nil, "NAME=VALUE of the container's environment; may be given again")
	flags.StringVar(&r.requests, "requests", "", "what the container asks for, such as cpu=1,memory=2Gi")
	flags.StringVar(&r.limits, "limits", "", "what the container gets at most, such as nvidia.com/gpu=1")
	flags.StringVarP(&r.labels, "labels", "l", "", "labels of the operation, such as team=vision,stage=test")
	flags.StringVar(&r.queue, "queue", "", "NAME or AGENT/NAME of the queue (default: the component's, the project's, the organization's, the cluster's)")
	flags.StringVar(&r.project, "project", "", "project (default: the only one that claims the namespace)")
	flags.Int32Var(&r.priority, "priority", 0, "priority inside the queue: larger goes first")
	flags.StringArrayVarP(&r.params, "param", "p", nil, "NAME=VALUE of a param, the value as JSON or else as text; may be given again")
	flags.Int32Var(&r.retries, "max-retries", 0, "how often a failure of the program is tried again")
	flags.DurationVar(&r.timeout, "timeout", 0, "how long it may take from when it first ran; 0: as long as it takes")
	flags.DurationVar(&r.ttl, "ttl", 0, "how long it is kept after its end; 0: for ever")
	flags.BoolVarP(&r.watch, "watch", "w", false, "show its statuses until its end")
	flags.BoolVar(&r.wait, "wait", false, "wait for its end")
	flags.StringVar(&r.dryRun, "dry-run", "none", "client: make nothing, and print what would be made")
	s.completeQueues(cmd, "queue")
	complete(cmd, "dry-run", "none", "client")
	return cmd
}

// arguments are the name before a dash, and the command behind it.
func (r *run) arguments(args []string, dash int) (name string, command []string, err error) {
	if dash >= 0 {
		args, command = args[:dash], args[dash:]
	}
	sources := 0
	for _, given := range []bool{len(r.files) > 0, r.image != "", r.component != ""} {
		if given {
			sources++
		}
	}
	switch {
	case sources != 1:
		return "", nil, errors.New("what is to run? Give one of --image, --component and --filename")
	case len(args) > 1:
		return "", nil, fmt.Errorf("%q is one argument too many: write the command behind --", args[1])
	case len(args) == 1 && len(r.files) > 0:
		return "", nil, fmt.Errorf("%q: what a file says has its own name", args[0])
	case len(command) > 0 && r.image == "":
		return "", nil, errors.New("a command needs an --image to run in")
	case r.dryRun != "none" && r.dryRun != "client":
		return "", nil, fmt.Errorf("--dry-run is %q: write none or client", r.dryRun)
	}
	if len(args) == 1 {
		name = args[0]
	}
	return name, command, nil
}

func (r *run) run(ctx context.Context, name string, command []string) error {
	c, err := r.shell.cluster()
	if err != nil {
		return err
	}
	params, err := parseParams(r.params)
	if err != nil {
		return err
	}
	var objects []client.Object
	if len(r.files) > 0 {
		objects, err = r.read(c, params)
	} else {
		var o *v1alpha1.Operation
		o, err = r.operation(c.namespace, name, command, params)
		objects = []client.Object{o}
	}
	if err != nil {
		return err
	}
	if r.dryRun == "client" {
		for _, o := range objects {
			if err := stamp(o); err != nil {
				return err
			}
			content, err := intent(o)
			if err != nil {
				return err
			}
			if err := printYAML(r.shell.Out, content); err != nil {
				return err
			}
		}
		return nil
	}
	for _, o := range objects {
		if err := c.Create(ctx, o, client.FieldOwner(fieldManager)); err != nil {
			return err
		}
		what := queueyard.Title(o)
		if _, is := o.(*unstructured.Unstructured); is {
			what = strings.ToLower(o.GetObjectKind().GroupVersionKind().Kind) + "/" + o.GetName()
		}
		fmt.Fprintf(r.shell.Out, "%s is created\n", what)
	}
	return r.follow(ctx, c, objects)
}

// follow waits for operations and workflows, one after the other. The worst that came of any is what came of all.
func (r *run) follow(ctx context.Context, c *cluster, objects []client.Object) error {
	var runs []client.Object
	for _, o := range objects {
		if _, is := o.(*unstructured.Unstructured); !is {
			runs = append(runs, o)
		}
	}
	if r.wait && !r.watch {
		return r.shell.waitFor(ctx, c, runs, queueyard.Finished, 0)
	}
	if !r.watch {
		return nil
	}
	var worst error
	for _, o := range runs {
		err := r.shell.followStatuses(ctx, c, o)
		var came outcome
		switch {
		case errors.As(err, &came):
			worst = worse(worst, came)
		case err != nil:
			return err
		}
	}
	return worst
}

// operation is what the flags say.
func (r *run) operation(namespace, name string, command []string, params v1alpha1.Values) (*v1alpha1.Operation, error) {
	o := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if name == "" {
		o.GenerateName = firstOf(r.component, "run") + "-"
	}
	var err error
	if o.Labels, err = labels.ConvertSelectorToLabelsMap(r.labels); err != nil {
		return nil, fmt.Errorf("--labels %q: write NAME=VALUE,NAME=VALUE", r.labels)
	}
	r.set(&o.Spec.Queue, &o.Spec.Project, &o.Spec.Priority, &o.Spec.Params, params)
	o.Spec.Component = r.component
	if r.image != "" {
		pod, err := r.pod(command)
		if err != nil {
			return nil, err
		}
		o.Spec.Template = &v1alpha1.RunTemplate{Pod: &runtime.RawExtension{Raw: pod}}
	}
	t := v1alpha1.Termination{}
	if r.retries > 0 {
		t.MaxRetries = &r.retries
	}
	if r.timeout > 0 {
		t.Timeout = &metav1.Duration{Duration: r.timeout}
	}
	if r.ttl > 0 {
		t.TTL = &metav1.Duration{Duration: r.ttl}
	}
	if t != (v1alpha1.Termination{}) {
		o.Spec.Termination = &t
	}
	return o, nil
}

// pod is a pod of one container as JSON, without the many fields of a pod that are empty.
func (r *run) pod(command []string) ([]byte, error) {
	container := map[string]any{"name": "main", "image": r.image}
	if len(command) > 0 {
		container["command"] = command
	}
	var env []corev1.EnvVar
	for _, text := range r.env {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--env %q: write NAME=VALUE", text)
		}
		env = append(env, corev1.EnvVar{Name: name, Value: value})
	}
	if env != nil {
		container["env"] = env
	}
	amounts := map[string]any{}
	for field, text := range map[string]string{"requests": r.requests, "limits": r.limits} {
		list, err := parseAmounts(text)
		if err != nil {
			return nil, fmt.Errorf("--%s %q: %w", field, text, err)
		}
		if len(list) > 0 {
			amounts[field] = list
		}
	}
	if len(amounts) > 0 {
		container["resources"] = amounts
	}
	return json.Marshal(map[string]any{"spec": map[string]any{"containers": []any{container}}})
}

func parseAmounts(text string) (corev1.ResourceList, error) {
	if text == "" {
		return nil, nil
	}
	list := corev1.ResourceList{}
	for _, part := range strings.Split(text, ",") {
		name, amount, ok := strings.Cut(part, "=")
		value, err := resource.ParseQuantity(amount)
		if !ok || name == "" || err != nil {
			return nil, fmt.Errorf("%q is no amount of a resource: write RESOURCE=AMOUNT, such as cpu=500m", part)
		}
		list[corev1.ResourceName(name)] = value
	}
	return list, nil
}

// parseParams takes values as JSON where they are, and as text where not.
func parseParams(given []string) (v1alpha1.Values, error) {
	var params v1alpha1.Values
	for _, text := range given {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--param %q: write NAME=VALUE", text)
		}
		raw := []byte(value)
		if !json.Valid(raw) {
			quoted, err := json.Marshal(value)
			if err != nil {
				return nil, fmt.Errorf("--param %q: %w", text, err)
			}
			raw = quoted
		}
		if params == nil {
			params = v1alpha1.Values{}
		}
		params[name] = apiextensionsv1.JSON{Raw: raw}
	}
	return params, nil
}

// set writes what the flags say over what a file says.
func (r *run) set(queue, project *string, priority **int32, into *v1alpha1.Values, params v1alpha1.Values) {
	if r.queue != "" {
		*queue = r.queue
	}
	if r.project != "" {
		*project = r.project
	}
	if r.prioritise {
		*priority = &r.priority
	}
	for name, value := range params {
		if *into == nil {
			*into = v1alpha1.Values{}
		}
		(*into)[name] = value
	}
}

// read gives the objects of files: operations and workflows as such, all others as they are.
func (r *run) read(c *cluster, params v1alpha1.Values) ([]client.Object, error) {
	explicit := *r.shell.flags.Namespace != ""
	infos, err := clientresource.NewBuilder(r.shell.flags).Unstructured().
		NamespaceParam(c.namespace).DefaultNamespace().
		FilenameParam(explicit, &clientresource.FilenameOptions{Filenames: r.files}).
		Flatten().Do().Infos()
	if err != nil {
		return nil, err
	}
	var objects []client.Object
	runs := 0
	for _, info := range infos {
		raw := info.Object.(*unstructured.Unstructured)
		o, err := scheme.New(raw.GroupVersionKind())
		if err != nil || raw.GroupVersionKind().Group != v1alpha1.GroupVersion.Group {
			objects = append(objects, raw)
			continue
		}
		switch o := o.(type) {
		case *v1alpha1.Operation:
			err = strictly(raw, o)
			r.set(&o.Spec.Queue, &o.Spec.Project, &o.Spec.Priority, &o.Spec.Params, params)
			objects, runs = append(objects, o), runs+1
		case *v1alpha1.Workflow:
			err = strictly(raw, o)
			r.set(&o.Spec.Queue, &o.Spec.Project, &o.Spec.Priority, &o.Spec.Params, params)
			objects, runs = append(objects, o), runs+1
		default:
			objects = append(objects, raw)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %s %s: %w", info.Source, raw.GetKind(), raw.GetName(), err)
		}
	}
	if runs == 0 {
		return nil, fmt.Errorf("nothing in %s runs: qy run takes operations and workflows, with what they need", strings.Join(r.files, ", "))
	}
	return objects, nil
}

// strictly converts, and refuses fields that there are not.
func strictly(raw *unstructured.Unstructured, into client.Object) error {
	return runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(raw.Object, into, true)
}
