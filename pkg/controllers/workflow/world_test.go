package workflow

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/test/testenv"
)

var (
	env   *testenv.Env
	admin client.Client
)

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	var err error
	if env, err = testenv.StartShared(testenv.WithCRDs()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer env.Stop()
	env.Config.QPS, env.Config.Burst = -1, -1
	if admin, err = client.New(env.Config, client.Options{Scheme: scheme()}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(s); err != nil {
		panic(err)
	}
	if err := v1alpha1.AddToScheme(s); err != nil {
		panic(err)
	}
	return s
}

// world plays the controller of operations in a namespace of its own.
type world struct {
	*testing.T
	namespace string
	// ends says what an operation comes to, or "" while it runs.
	ends func(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any)
	// most operations that had not begun at one moment.
	mostWaiting int
}

func begin(t *testing.T, name string) *world {
	w := &world{T: t, namespace: name, ends: func(*v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
		return v1alpha1.StatusSucceeded, nil
	}}
	require.NoError(t, admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	return w
}

// start runs the controller with caches of its own, which hold this namespace alone, and gives what stops it.
func (w *world) start(around interceptor.Funcs) (stop func()) {
	w.Helper()
	return w.startWith(around, Setup)
}

func (w *world) startWith(around interceptor.Funcs, setup func(ctrl.Manager) error) (stop func()) {
	w.Helper()
	mgr, err := ctrl.NewManager(env.Config, ctrl.Options{
		Scheme: scheme(), Cache: cache.Options{ByObject: CachedObjects(), DefaultNamespaces: map[string]cache.Config{w.namespace: {}}},
		Metrics: metricsserver.Options{BindAddress: "0"}, Controller: config.Controller{SkipNameValidation: ptr.To(true)},
		NewClient: func(c *rest.Config, options client.Options) (client.Client, error) {
			inner, err := client.NewWithWatch(c, options)
			if err != nil {
				return nil, err
			}
			return interceptor.NewClient(inner, around), nil
		},
	})
	require.NoError(w, err)
	require.NoError(w, setup(mgr))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			assert.NoError(w, <-done)
		})
	}
	w.Cleanup(stop)
	return stop
}

func (w *world) create(name, spec string) *v1alpha1.Workflow {
	w.Helper()
	flow := &v1alpha1.Workflow{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	require.NoError(w, yaml.UnmarshalStrict([]byte(spec), &flow.Spec))
	require.NoError(w, admin.Create(w.Context(), flow))
	return flow
}

func (w *world) operations() []v1alpha1.Operation {
	w.Helper()
	list := &v1alpha1.OperationList{}
	require.NoError(w, admin.List(w.Context(), list, client.InNamespace(w.namespace)))
	return list.Items
}

// turn leads every operation one status further.
func (w *world) turn() {
	w.Helper()
	waiting := 0
	for _, op := range w.operations() {
		if op.Status.Phase == "" {
			waiting++
		}
		phase, outputs := w.follow(&op)
		if phase == op.Status.Phase || phase == "" {
			continue
		}
		op.Status.Phase = phase
		op.Status.Timeline = append(op.Status.Timeline, v1alpha1.TimelineEntry{Status: phase, Time: metav1.NowMicro(), Reason: "Played", Message: "was played"})
		if outputs != nil {
			op.Status.Outputs = v1alpha1.Values{}
			for name, value := range outputs {
				raw, err := json.Marshal(value)
				require.NoError(w, err)
				op.Status.Outputs[name] = apiextensionsv1.JSON{Raw: raw}
			}
		}
		err := admin.Status().Update(w.Context(), &op)
		if !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			require.NoError(w, err)
		}
	}
	w.mostWaiting = max(w.mostWaiting, waiting)
}

func (w *world) follow(op *v1alpha1.Operation) (v1alpha1.Status, map[string]any) {
	never := v1alpha1.Status(op.Annotations[v1alpha1.OutcomeAnnotation])
	switch {
	case op.Status.Phase.Final():
		return op.Status.Phase, nil
	case never != "":
		return never, nil
	case op.Spec.DesiredState == v1alpha1.Stopped:
		return v1alpha1.StatusStopped, nil
	case op.Status.Phase == "":
		return v1alpha1.StatusRunning, nil
	}
	return w.ends(op)
}

func (w *world) read(flow *v1alpha1.Workflow) v1alpha1.WorkflowStatus {
	w.Helper()
	require.NoError(w, admin.Get(w.Context(), client.ObjectKeyFromObject(flow), flow))
	return flow.Status
}

// until plays on until something is so.
func (w *world) until(what string, is func() bool) {
	w.Helper()
	require.Eventually(w, func() bool {
		w.turn()
		return is()
	}, 120*time.Second, 5*time.Millisecond, what)
}

func (w *world) reach(flow *v1alpha1.Workflow, phase v1alpha1.Status) v1alpha1.WorkflowStatus {
	w.Helper()
	w.until(fmt.Sprintf("%s is %s", flow.Name, phase), func() bool { return w.read(flow).Phase == phase })
	return flow.Status
}

func (w *world) edit(flow *v1alpha1.Workflow, change func(*v1alpha1.WorkflowSpec)) {
	w.Helper()
	w.read(flow)
	before := flow.DeepCopy()
	change(&flow.Spec)
	require.NoError(w, admin.Patch(w.Context(), flow, client.MergeFrom(before)))
}

// steps are the last phases of a workflow's steps, by name.
func (w *world) steps(flow string) map[string]v1alpha1.Status {
	out, attempt := map[string]v1alpha1.Status{}, map[string]string{}
	for _, op := range w.operations() {
		step := op.Labels[v1alpha1.StepLabel]
		if op.Labels[v1alpha1.WorkflowLabel] == flow && op.Labels[v1alpha1.WorkflowAttemptLabel] >= attempt[step] {
			out[step], attempt[step] = op.Status.Phase, op.Labels[v1alpha1.WorkflowAttemptLabel]
		}
	}
	return out
}

func way(s v1alpha1.WorkflowStatus) string {
	var names []string
	for _, e := range s.Timeline {
		names = append(names, string(e.Status))
	}
	return strings.Join(names, " ")
}

const job = `
- name: job
  inputs: [{name: x, type: int, default: 0}]
  operation: {template: {pod: {spec: {containers: [{name: main, image: none, args: ["{{ params.x }}"]}]}}}}
`

func paramOf(op *v1alpha1.Operation, name string) int64 {
	n, _ := strconv.ParseInt(string(op.Spec.Params[name].Raw), 10, 64)
	return n
}
