package operation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
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

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/test/testenv"
)

var (
	env   *testenv.Env
	admin client.Client
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if env, err = testenv.StartShared(testenv.WithCRDs(), testenv.WithNode("n1")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer env.Stop()
	env.Config.QPS, env.Config.Burst = -1, -1
	if admin, err = client.New(env.Config, client.Options{Scheme: scheme()}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx := context.Background()
	for _, o := range []client.Object{
		&v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: "default"}},
		&v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "default"}},
		&v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: "remote"}, Spec: v1alpha1.AgentSpec{Namespace: "remote"}},
		&v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "remote"}, Spec: v1alpha1.QueueSpec{Agent: "remote"}},
		namespace("team"), namespace("remote"),
	} {
		if err := admin.Create(ctx, o); client.IgnoreAlreadyExists(err) != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

func namespace(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{v1alpha1.ManagedLabel: "true"}}}
}

func scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(s), v1alpha1.AddToScheme(s)); err != nil {
		panic(err)
	}
	return s
}

// start runs the controller with caches of its own, and gives what stops it. With namespaces it sees those alone.
func start(t *testing.T, around interceptor.Funcs, namespaces ...string) (stop func()) {
	t.Helper()
	var seen map[string]cache.Config
	for _, name := range namespaces {
		if seen == nil {
			seen = map[string]cache.Config{}
		}
		seen[name] = cache.Config{}
	}
	mgr, err := ctrl.NewManager(env.Config, ctrl.Options{
		Scheme: scheme(), Cache: cache.Options{ByObject: CachedObjects(), DefaultNamespaces: seen},
		Metrics: metricsserver.Options{BindAddress: "0"}, Controller: config.Controller{SkipNameValidation: ptr.To(true)},
		NewClient: func(c *rest.Config, options client.Options) (client.Client, error) {
			inner, err := client.NewWithWatch(c, options)
			if err != nil {
				return nil, err
			}
			return interceptor.NewClient(inner, around), nil
		},
	})
	require.NoError(t, err)
	require.NoError(t, Setup(mgr, "default"))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			assert.NoError(t, <-done)
		})
	}
	t.Cleanup(stop)
	return stop
}

const podTemplate = `{"spec":{"containers":[{"name":"main","image":"none"}]}}`

func podOperation(name, queue string) *v1alpha1.Operation {
	return &v1alpha1.Operation{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "team"},
		Spec: v1alpha1.OperationSpec{Queue: queue, Template: &v1alpha1.RunTemplate{Pod: &runtime.RawExtension{Raw: []byte(podTemplate)}},
			Termination: &v1alpha1.Termination{MaxRetries: ptr.To[int32](1), Backoff: &v1alpha1.Backoff{Initial: &metav1.Duration{Duration: time.Millisecond}}}},
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	require.Eventually(t, is, 60*time.Second, 10*time.Millisecond, what)
}

func read(t *testing.T, op *v1alpha1.Operation) v1alpha1.OperationStatus {
	t.Helper()
	require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(op), op))
	return op.Status
}

func reaches(t *testing.T, op *v1alpha1.Operation, phase v1alpha1.Status) {
	t.Helper()
	eventually(t, op.Name+" becomes "+string(phase), func() bool { return read(t, op).Phase == phase })
}

// runs are the pods made for an operation, those of all namespaces.
func runs(t *testing.T, op *v1alpha1.Operation) []corev1.Pod {
	t.Helper()
	pods := &corev1.PodList{}
	require.NoError(t, admin.List(t.Context(), pods, client.MatchingLabels{v1alpha1.OperationUIDLabel: string(op.UID)}))
	return pods.Items
}

func podOf(t *testing.T, op *v1alpha1.Operation, attempt string) *corev1.Pod {
	t.Helper()
	var found *corev1.Pod
	eventually(t, "pod of "+op.Name, func() bool {
		for _, pod := range runs(t, op) {
			if pod.Labels[v1alpha1.AttemptLabel] == attempt {
				found = &pod
				return true
			}
		}
		return false
	})
	return found
}

// bind and report play scheduler and node.
func bind(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	binding := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: pod.Name}, Target: corev1.ObjectReference{Kind: "Node", Name: "n1"}}
	require.NoError(t, env.Client.CoreV1().Pods(pod.Namespace).Bind(t.Context(), binding, metav1.CreateOptions{}))
}

func report(t *testing.T, pod *corev1.Pod, phase corev1.PodPhase, state corev1.ContainerState) {
	t.Helper()
	change := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace}}
	require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(pod), change))
	before := change.DeepCopy()
	now := metav1.Now()
	change.Status.Phase, change.Status.StartTime = phase, &now
	change.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", State: state}}
	require.NoError(t, admin.Status().Patch(t.Context(), change, client.MergeFrom(before)))
}

func running() corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
}

func ended(code int32, message string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Message: message, StartedAt: metav1.Now(), FinishedAt: metav1.Now()}}
}

func statuses(s v1alpha1.OperationStatus) (all []string) {
	for _, e := range s.Timeline {
		all = append(all, string(e.Status))
	}
	return all
}

func TestLifeOfAPodOperation(t *testing.T) {
	start(t, interceptor.Funcs{})
	op := podOperation("life", "")
	require.NoError(t, admin.Create(t.Context(), op))
	first := podOf(t, op, "1")
	assert.Equal(t, v1alpha1.SchedulerName, first.Spec.SchedulerName)
	assert.Equal(t, "default", first.Labels[v1alpha1.QueueLabel])
	bind(t, first)
	reaches(t, op, v1alpha1.StatusScheduled)
	report(t, first, corev1.PodRunning, running())
	reaches(t, op, v1alpha1.StatusRunning)
	report(t, first, corev1.PodFailed, ended(3, "no data"))
	second := podOf(t, op, "2")
	bind(t, second)
	report(t, second, corev1.PodRunning, running())
	reaches(t, op, v1alpha1.StatusRunning)
	report(t, second, corev1.PodSucceeded, ended(0, `{"accuracy": 0.93}`))
	reaches(t, op, v1alpha1.StatusSucceeded)
	assert.Equal(t, int32(1), op.Status.Retries)
	assert.Equal(t, int32(2), op.Status.Attempt)
	assert.JSONEq(t, "0.93", string(op.Status.Outputs["accuracy"].Raw))
	assert.Contains(t, strings.Join(statuses(op.Status), " "), "retrying queued")
	eventually(t, "its pods are let go", func() bool {
		for _, pod := range runs(t, op) {
			if len(pod.Finalizers) > 0 {
				return false
			}
		}
		return true
	})
}

func TestLifeOfAJobOperation(t *testing.T) {
	start(t, interceptor.Funcs{})
	op := podOperation("job", "")
	op.Spec.Template = &v1alpha1.RunTemplate{Job: &runtime.RawExtension{Raw: []byte(`{"spec":{"parallelism":2,"completions":2,"template":` + podTemplate + `}}`)}}
	require.NoError(t, admin.Create(t.Context(), op))
	eventually(t, "two pods", func() bool { return len(runs(t, op)) == 2 })
	for _, pod := range runs(t, op) {
		bind(t, &pod)
		report(t, &pod, corev1.PodRunning, running())
	}
	reaches(t, op, v1alpha1.StatusRunning)
	for _, pod := range runs(t, op) {
		report(t, &pod, corev1.PodSucceeded, ended(0, ""))
	}
	reaches(t, op, v1alpha1.StatusSucceeded)
	jobs := &batchv1.JobList{}
	require.NoError(t, admin.List(t.Context(), jobs, client.MatchingLabels{v1alpha1.OperationUIDLabel: string(op.UID)}))
	assert.Len(t, jobs.Items, 1)
}

func TestRunsOfAnAgentsNamespace(t *testing.T) {
	start(t, interceptor.Funcs{})
	op := podOperation("far", "remote")
	require.NoError(t, admin.Create(t.Context(), op))
	pod := podOf(t, op, "1")
	assert.Equal(t, "remote", pod.Namespace)
	assert.Empty(t, pod.OwnerReferences, "no owner reference reaches another namespace")
	reaches(t, op, v1alpha1.StatusQueued)
	assert.Equal(t, []string{v1alpha1.OperationFinalizer}, op.Finalizers)
	require.NoError(t, admin.Delete(t.Context(), op))
	eventually(t, "its pod is gone", func() bool { return len(runs(t, op)) == 0 })
	eventually(t, "it is gone", func() bool {
		return apierrors.IsNotFound(admin.Get(t.Context(), client.ObjectKeyFromObject(op), op))
	})
}

// TestCrashAtEveryWrite lets the controller die before and after each of its writes. Whoever comes next
// brings the operation to its end, with one run per attempt.
// What was made for an operation that is gone goes, too: in another namespace nobody else deletes it, and another operation of
// the same name keeps nothing of it.
func TestWhatIsLeftBehind(t *testing.T) {
	stop := start(t, interceptor.Funcs{})
	op := podOperation("again", "")
	require.NoError(t, admin.Create(t.Context(), op))
	former := podOf(t, op, "1")
	stop()
	require.NoError(t, admin.Delete(t.Context(), op))
	gone := podOf(t, op, "1").DeepCopy() // as if the controller had died before it heard of the deletion
	gone.ObjectMeta = metav1.ObjectMeta{Namespace: "remote", Name: "orphan", Labels: gone.Labels, Annotations: gone.Annotations, Finalizers: gone.Finalizers}
	gone.Spec.NodeName = ""
	require.NoError(t, admin.Create(t.Context(), gone))
	next := podOperation("again", "")
	require.NoError(t, admin.Create(t.Context(), next))
	start(t, interceptor.Funcs{})
	its := podOf(t, next, "1")
	require.NotEqual(t, former.UID, its.UID)
	eventually(t, "the orphan is gone", func() bool {
		return apierrors.IsNotFound(admin.Get(t.Context(), client.ObjectKeyFromObject(gone), gone))
	})
	require.NoError(t, client.IgnoreNotFound(admin.Delete(t.Context(), former))) // as the garbage collector does
	eventually(t, "the former pod is gone", func() bool {
		return apierrors.IsNotFound(admin.Get(t.Context(), client.ObjectKeyFromObject(former), former))
	})
	require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(its), its))
	require.Nil(t, its.DeletionTimestamp)
	require.NoError(t, admin.Delete(t.Context(), next))
}

// A Job that somebody deletes without its pods is not replaced while they run: it is deleted with them.
func TestJobDeletedWithoutItsPods(t *testing.T) {
	start(t, interceptor.Funcs{})
	op := podOperation("job-deleted", "")
	op.Spec.Template = &v1alpha1.RunTemplate{Job: &runtime.RawExtension{Raw: []byte(`{"spec":{"template":` + podTemplate + `}}`)}}
	require.NoError(t, admin.Create(t.Context(), op))
	job := &batchv1.Job{}
	eventually(t, "its Job is there", func() bool {
		s := read(t, op)
		return s.Run != nil && admin.Get(t.Context(), client.ObjectKey{Namespace: s.Run.Namespace, Name: s.Run.Name}, job) == nil
	})
	pod := &corev1.Pod{ObjectMeta: job.Spec.Template.ObjectMeta, Spec: job.Spec.Template.Spec}
	pod.Namespace, pod.Name = job.Namespace, job.Name+"-x"
	require.NoError(t, admin.Create(t.Context(), pod))
	bind(t, pod)
	report(t, pod, corev1.PodRunning, running())
	reaches(t, op, v1alpha1.StatusRunning)
	require.NoError(t, admin.Delete(t.Context(), job, client.PropagationPolicy(metav1.DeletePropagationBackground)))
	eventually(t, "its pod is deleted, too", func() bool {
		require.NoError(t, admin.Get(t.Context(), client.ObjectKeyFromObject(pod), pod))
		return !pod.DeletionTimestamp.IsZero()
	})
	require.Equal(t, v1alpha1.StatusRunning, read(t, op).Phase)
	require.EqualValues(t, 1, op.Status.Attempt)
	require.NoError(t, admin.Delete(t.Context(), op))
	require.NoError(t, client.IgnoreNotFound(admin.Delete(t.Context(), pod, client.GracePeriodSeconds(0))))
}

// Where no webhook keeps marks, anybody writes them: what is not where the operation runs is no pod of it.
func TestPodsOfOtherNamespacesSayNothing(t *testing.T) {
	start(t, interceptor.Funcs{})
	op := podOperation("job-elsewhere", "")
	op.Spec.Template = &v1alpha1.RunTemplate{Job: &runtime.RawExtension{Raw: []byte(`{"spec":{"template":` + podTemplate + `}}`)}}
	require.NoError(t, admin.Create(t.Context(), op))
	own := podOf(t, op, "1")
	bind(t, own)
	report(t, own, corev1.PodRunning, running())
	reaches(t, op, v1alpha1.StatusRunning)
	other := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "remote", Name: "z", Labels: own.Labels, Annotations: own.Annotations}, Spec: *own.Spec.DeepCopy()}
	other.Spec.NodeName = ""
	require.NoError(t, admin.Create(t.Context(), other))
	bind(t, other)
	report(t, other, corev1.PodSucceeded, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		Message: `{"accuracy": 1}`, StartedAt: metav1.Now(), FinishedAt: metav1.NewTime(time.Now().Add(time.Hour)),
	}})
	report(t, own, corev1.PodSucceeded, ended(0, `{"accuracy": 0.5}`))
	reaches(t, op, v1alpha1.StatusSucceeded)
	assert.JSONEq(t, "0.5", string(op.Status.Outputs["accuracy"].Raw))
	require.NoError(t, client.IgnoreNotFound(admin.Delete(t.Context(), other, client.GracePeriodSeconds(0))))
}

// A pod that is too large for the API server to keep is refused like any other that it does not take.
func TestTooLarge(t *testing.T) {
	start(t, interceptor.Funcs{})
	for name, texts := range map[string][2]int{"large": {900_000, 350_000}} {
		op := podOperation("too-"+name, "")
		op.Spec.Params = v1alpha1.Values{"text": apiextensionsv1.JSON{Raw: []byte(`"` + strings.Repeat("p", texts[1]) + `"`)}}
		op.Spec.Template.Pod.Raw = []byte(`{"spec":{"containers":[{"name":"main","image":"none","args":["{{ params.text }}","{{ params.text }}","` + strings.Repeat("x", texts[0]) + `"]}]}}`)
		require.NoError(t, admin.Create(t.Context(), op))
		reaches(t, op, v1alpha1.StatusFailed)
		last := op.Status.Timeline[len(op.Status.Timeline)-1]
		require.Equal(t, "Refused", last.Reason)
		require.Contains(t, last.Message, "too large")
	}
}

func TestCrashAtEveryWrite(t *testing.T) {
	for at, agent := range map[string]v1alpha1.AgentSpec{"here": {}, "away": {Namespace: "away"}} {
		testenv.AtEveryWrite(t, "crash-"+at, 5, func(t *testing.T, name string, c *testenv.Cut) { liveThrough(t, name, agent, c) })
	}
}

// home makes a namespace of a name, and a queue whose operations run there or in a namespace of its agent.
func home(t *testing.T, name string, agent v1alpha1.AgentSpec) (namespaces []string) {
	t.Helper()
	namespaces = []string{name}
	if agent.Namespace != "" {
		agent.Namespace = name + "-" + agent.Namespace
		namespaces = append(namespaces, agent.Namespace)
	}
	for _, ns := range namespaces {
		require.NoError(t, admin.Create(t.Context(), namespace(ns)))
	}
	for _, o := range []client.Object{
		&v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: agent},
		&v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.QueueSpec{Agent: name}},
	} {
		require.NoError(t, admin.Create(t.Context(), o))
	}
	return namespaces
}

// survive plays on until something is so, with another controller when the first has died.
func survive(t *testing.T, what string, c *testenv.Cut, namespaces []string, is func() bool) (stop func()) {
	t.Helper()
	died := c.Died
	stop = start(t, c.Funcs(), namespaces...)
	eventually(t, what, func() bool {
		select {
		case <-died:
			stop()
			c.Heal()
			stop = start(t, c.Funcs(), namespaces...)
			died = nil
		default:
		}
		return is()
	})
	return stop
}

// liveThrough plays scheduler and node for an operation that fails once.
func liveThrough(t *testing.T, name string, agent v1alpha1.AgentSpec, c *testenv.Cut) {
	namespaces := home(t, name, agent)
	op := podOperation(name, name)
	op.Namespace = name
	require.NoError(t, admin.Create(t.Context(), op))
	survive(t, "it ends", c, namespaces, func() bool {
		for _, pod := range runs(t, op) {
			switch {
			case pod.Spec.NodeName == "":
				bind(t, &pod)
			case pod.Status.Phase == corev1.PodPending:
				report(t, &pod, corev1.PodRunning, running())
			case pod.Status.Phase == corev1.PodRunning && pod.Labels[v1alpha1.AttemptLabel] == "1":
				report(t, &pod, corev1.PodFailed, ended(1, ""))
			case pod.Status.Phase == corev1.PodRunning:
				report(t, &pod, corev1.PodSucceeded, ended(0, ""))
			}
		}
		if read(t, op).Phase != v1alpha1.StatusSucceeded {
			return false
		}
		for _, pod := range runs(t, op) {
			if len(pod.Finalizers) > 0 {
				return false
			}
		}
		return true
	})
	assert.Equal(t, int32(2), op.Status.Attempt)
	assert.Equal(t, int32(1), op.Status.Retries)
	created := c.Created()
	assert.Len(t, created, 2) // pods: the controller makes nothing else
	for name, n := range created {
		assert.Equal(t, 1, n, "pod %s", name)
	}
}

// workflowWith is a workflow of which so many operations may be in flight.
func workflowWith(t *testing.T, name string, concurrency int32, parent *v1alpha1.Workflow) *v1alpha1.Workflow {
	t.Helper()
	return workflowIn(t, "team", name, concurrency, parent)
}

func workflowIn(t *testing.T, namespace, name string, concurrency int32, parent *v1alpha1.Workflow) *v1alpha1.Workflow {
	t.Helper()
	w := &v1alpha1.Workflow{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}, Spec: v1alpha1.WorkflowSpec{
		Concurrency: &concurrency, Entrypoint: "main",
		Templates: []v1alpha1.WorkflowTemplate{{Name: "main", Operation: &v1alpha1.OperationTemplate{Component: "none"}}},
	}}
	if parent != nil {
		makeChild(w, parent)
	}
	require.NoError(t, admin.Create(t.Context(), w))
	return w
}

func makeChild(o client.Object, parent *v1alpha1.Workflow) {
	o.SetLabels(map[string]string{v1alpha1.WorkflowLabel: parent.Name, v1alpha1.WorkflowUIDLabel: string(parent.UID)})
	o.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(parent, v1alpha1.GroupVersion.WithKind("Workflow"))})
}

func child(name, queue string, parent *v1alpha1.Workflow) *v1alpha1.Operation {
	op := podOperation(name, queue)
	op.Namespace = parent.Namespace
	makeChild(op, parent)
	return op
}

func isGated(pod *corev1.Pod) bool { return len(pod.Spec.SchedulingGates) > 0 }

// A pod of an operation that its workflow has no room for has a gate, which goes when another ends.
func TestGateOfAWorkflow(t *testing.T) {
	start(t, interceptor.Funcs{})
	outer := workflowWith(t, "gate-outer", 1, nil)
	inner := workflowWith(t, "gate-inner", 5, outer)
	first, second, third := child("gate-first", "", inner), child("gate-second", "", outer), child("gate-third", "", inner)
	require.NoError(t, admin.Create(t.Context(), first))
	require.False(t, isGated(podOf(t, first, "1")), "there is room")
	require.NoError(t, admin.Create(t.Context(), second))
	require.True(t, isGated(podOf(t, second, "1")), "the limit of the outer one holds for all below it")
	third.Spec.Priority = ptr.To[int32](5)
	require.NoError(t, admin.Create(t.Context(), third))
	require.True(t, isGated(podOf(t, third, "1")))
	free := podOperation("gate-free", "")
	require.NoError(t, admin.Create(t.Context(), free))
	require.False(t, isGated(podOf(t, free, "1")), "what is of no workflow never has one")
	pod := podOf(t, first, "1")
	bind(t, pod)
	report(t, pod, corev1.PodRunning, running())
	report(t, pod, corev1.PodSucceeded, ended(0, ""))
	ungated := func(op *v1alpha1.Operation) func() bool {
		return func() bool {
			all := runs(t, op)
			return len(all) == 1 && !isGated(&all[0])
		}
	}
	eventually(t, "the one of higher priority goes", ungated(third))
	require.True(t, isGated(podOf(t, second, "1")))
	limit := outer.DeepCopy()
	limit.Spec.Concurrency = ptr.To[int32](2)
	require.NoError(t, admin.Patch(t.Context(), limit, client.MergeFrom(outer)))
	eventually(t, "a limit that is raised lets the next one go", ungated(second))
}

// TestCrashInAWorkflow lets the controller die before and after each of its writes, for operations of which
// their workflow lets one go at a time. No two are ever in flight, and all come to their end.
func TestCrashInAWorkflow(t *testing.T) {
	testenv.AtEveryWrite(t, "crash-flight", 8, oneAtATime)
}

func oneAtATime(t *testing.T, name string, c *testenv.Cut) {
	namespaces := home(t, name, v1alpha1.AgentSpec{Namespace: "away"})
	here := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: name + "-here"}}
	require.NoError(t, admin.Create(t.Context(), here))
	w := workflowIn(t, name, name, 1, nil)
	ops := []*v1alpha1.Operation{child(name+"-a", here.Name, w), child(name+"-b", name, w)}
	for _, op := range ops {
		require.NoError(t, admin.Create(t.Context(), op))
	}
	stop := survive(t, "all end", c, namespaces, func() bool {
		pods := &corev1.PodList{}
		require.NoError(t, admin.List(t.Context(), pods, client.MatchingLabels{v1alpha1.WorkflowUIDLabel: string(w.UID)}))
		inFlight := 0
		for i := range pods.Items {
			pod := &pods.Items[i]
			over := pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
			if !isGated(pod) && !over {
				inFlight++
			}
			switch {
			case isGated(pod), over, pod.DeletionTimestamp != nil:
			case pod.Spec.NodeName == "":
				bind(t, pod)
			case pod.Status.Phase == corev1.PodPending:
				report(t, pod, corev1.PodRunning, running())
			case pod.Labels[v1alpha1.AttemptLabel] == "1":
				report(t, pod, corev1.PodFailed, ended(1, ""))
			default:
				report(t, pod, corev1.PodSucceeded, ended(0, ""))
			}
		}
		require.LessOrEqual(t, inFlight, 1, "a list of pods is of one moment")
		for _, op := range ops {
			if read(t, op).Phase != v1alpha1.StatusSucceeded {
				return false
			}
		}
		return true
	})
	stop()
}
