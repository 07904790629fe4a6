package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/queueyard/queueyard/pkg/agentidentity"
	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/controllers/operation"
	"github.com/queueyard/queueyard/test/testenv"
)

// The tests play the hub, and in the worker its scheduler and nodes. The agent comes to the hub with its own identity.

const (
	agentName    = "east"
	hubFinalizer = "queueyard.io/operation"
)

var (
	hubEnv, workerEnv *testenv.Env
	hub, worker       client.Client
	identityOfAgent   *rest.Config
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctrl.SetLogger(klog.Background())
	if err := bringUp(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer hubEnv.Stop()
	defer workerEnv.Stop()
	return m.Run()
}

func bringUp(ctx context.Context) (err error) {
	if hubEnv, err = testenv.StartShared(testenv.WithCRDs()); err != nil {
		return err
	}
	if workerEnv, err = testenv.StartShared(testenv.WithCRDs(), testenv.WithNode("n1")); err != nil {
		return err
	}
	for env, to := range map[*testenv.Env]*client.Client{hubEnv: &hub, workerEnv: &worker} {
		env.Config.QPS, env.Config.Burst = -1, -1
		if *to, err = client.New(env.Config, client.Options{Scheme: everything()}); err != nil {
			return err
		}
	}
	for _, name := range []string{agentName, "west"} {
		for _, o := range agentidentity.Objects(name) {
			if err := hub.Create(ctx, o); err != nil {
				return err
			}
		}
	}
	if identityOfAgent, err = hubEnv.ConfigFor(ctx, v1alpha1.AgentNamespace(agentName), agentidentity.Name); err != nil {
		return err
	}
	if err := worker.Create(ctx, managed("team")); err != nil {
		return err
	}
	for _, m := range []*v1alpha1.Mirror{
		mirror("agent."+agentName, v1alpha1.MirrorSpec{Agent: &v1alpha1.AgentSpec{Remote: true}}),
		mirror("queue.gpu", v1alpha1.MirrorSpec{Queue: &v1alpha1.QueueSpec{Agent: agentName}}),
		mirror("project.vision", v1alpha1.MirrorSpec{Project: &v1alpha1.ProjectSpec{}}),
	} {
		if err := hub.Create(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func everything() *runtime.Scheme {
	s := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(s), v1alpha1.AddToScheme(s)); err != nil {
		panic(err)
	}
	return s
}

func managed(name string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{v1alpha1.ManagedLabel: "true"}}}
}

func mirror(name string, spec v1alpha1.MirrorSpec) *v1alpha1.Mirror {
	spec.Name = objectOf(name).GetName()
	return &v1alpha1.Mirror{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: v1alpha1.AgentNamespace(agentName)}, Spec: spec}
}

// start runs the agent and the operation controller of the worker, as one process, and gives what stops it. Both the
// worker's and the hub's clients are cut off together.
func start(t *testing.T, around interceptor.Funcs) (stop func()) {
	t.Helper()
	newClient := func(c *rest.Config, options client.Options) (client.Client, error) {
		inner, err := client.NewWithWatch(c, options)
		if err != nil {
			return nil, err
		}
		return interceptor.NewClient(inner, around), nil
	}
	objects := operation.CachedObjects()
	for object, by := range CachedObjects() {
		objects[object] = by
	}
	mgr, err := ctrl.NewManager(workerEnv.Config, ctrl.Options{
		Scheme: everything(), Cache: cache.Options{ByObject: objects}, NewClient: newClient,
		Metrics: metricsserver.Options{BindAddress: "0"}, Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	require.NoError(t, err)
	copies, err := Setup(mgr, Options{Name: agentName, Hub: identityOfAgent, HubOptions: []cluster.Option{func(o *cluster.Options) { o.NewClient = newClient }}})
	require.NoError(t, err)
	require.NoError(t, operation.Setup(mgr, "default", operation.WithCopies(copies)))
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

func assignment(name string, edits ...func(*v1alpha1.Assignment)) *v1alpha1.Assignment {
	a := &v1alpha1.Assignment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: v1alpha1.AgentNamespace(agentName), Finalizers: []string{hubFinalizer}},
		Spec: v1alpha1.AssignmentSpec{
			Origin: v1alpha1.OperationReference{Namespace: "people", Name: "train", UID: "u-1"}, Namespace: "team",
			Operation: v1alpha1.OperationSpec{
				Queue: "gpu", Project: "vision",
				Template:    &v1alpha1.RunTemplate{Pod: &runtime.RawExtension{Raw: []byte(`{"spec":{"containers":[{"name":"main","image":"none"}]}}`)}},
				Termination: &v1alpha1.Termination{MaxRetries: ptr.To[int32](3)},
			},
		},
	}
	for _, edit := range edits {
		edit(a)
	}
	return a
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	require.Eventually(t, is, 60*time.Second, 10*time.Millisecond, what)
}

// read reads an assignment again; false: it is gone.
func read(t *testing.T, a *v1alpha1.Assignment) bool {
	t.Helper()
	err := hub.Get(t.Context(), client.ObjectKeyFromObject(a), a)
	require.NoError(t, client.IgnoreNotFound(err))
	return err == nil
}

func phase(a *v1alpha1.Assignment) v1alpha1.Status {
	if a.Status.Operation == nil {
		return ""
	}
	return a.Status.Operation.Phase
}

func reaches(t *testing.T, a *v1alpha1.Assignment, want v1alpha1.Status) {
	t.Helper()
	eventually(t, a.Name+" becomes "+string(want), func() bool { return read(t, a) && phase(a) == want })
}

// copyIn is the copy of an assignment; nil: there is none.
func copyIn(t *testing.T, a *v1alpha1.Assignment) *v1alpha1.Operation {
	t.Helper()
	op := &v1alpha1.Operation{}
	err := worker.Get(t.Context(), client.ObjectKey{Namespace: a.Spec.Namespace, Name: a.Name}, op)
	require.NoError(t, client.IgnoreNotFound(err))
	if err != nil {
		return nil
	}
	return op
}

// podsOf are those that were made for an assignment.
func podsOf(t *testing.T, a *v1alpha1.Assignment) []corev1.Pod {
	t.Helper()
	pods := &corev1.PodList{}
	require.NoError(t, worker.List(t.Context(), pods, client.InNamespace(a.Spec.Namespace), client.MatchingLabels{v1alpha1.OperationLabel: a.Name}))
	return pods.Items
}

func podOf(t *testing.T, a *v1alpha1.Assignment) *corev1.Pod {
	t.Helper()
	eventually(t, "pod of "+a.Name, func() bool { return len(podsOf(t, a)) == 1 })
	return &podsOf(t, a)[0]
}

// bind and report play scheduler and node.
func bind(t *testing.T, pod *corev1.Pod) error {
	t.Helper()
	binding := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: pod.Name}, Target: corev1.ObjectReference{Kind: "Node", Name: "n1"}}
	return workerEnv.Client.CoreV1().Pods(pod.Namespace).Bind(t.Context(), binding, metav1.CreateOptions{})
}

func report(t *testing.T, pod *corev1.Pod, phase corev1.PodPhase, state corev1.ContainerState) {
	t.Helper()
	change := &corev1.Pod{}
	require.NoError(t, worker.Get(t.Context(), client.ObjectKeyFromObject(pod), change))
	before := change.DeepCopy()
	change.Status.Phase, change.Status.StartTime = phase, ptr.To(metav1.Now())
	change.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", State: state}}
	require.NoError(t, worker.Status().Patch(t.Context(), change, client.MergeFrom(before)))
}

func running() corev1.ContainerState {
	return corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
}

func ended(code int32, message string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Message: message, StartedAt: metav1.Now(), FinishedAt: metav1.Now()}}
}

// play leads what has a node to its end, and what is deleted away from its node.
func play(t *testing.T, pod *corev1.Pod, end corev1.ContainerState) {
	t.Helper()
	now := int64(0)
	switch {
	case pod.Spec.NodeName == "" || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed:
	case pod.DeletionTimestamp != nil && ptr.Deref(pod.DeletionGracePeriodSeconds, 1) > 0:
		require.NoError(t, client.IgnoreNotFound(worker.Delete(t.Context(), pod, &client.DeleteOptions{GracePeriodSeconds: &now})))
	case pod.DeletionTimestamp != nil:
	case pod.Status.Phase == corev1.PodPending:
		report(t, pod, corev1.PodRunning, running())
	case end.Terminated == nil: // it runs on
	case end.Terminated.ExitCode == 0:
		report(t, pod, corev1.PodSucceeded, end)
	default:
		report(t, pod, corev1.PodFailed, end)
	}
}

func edit[T client.Object](t *testing.T, c client.Client, o T, change func(T)) {
	t.Helper()
	require.NoError(t, retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(o), o))
		before := o.DeepCopyObject().(client.Object)
		change(o)
		return c.Patch(t.Context(), o, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	}))
}

func withdrawn(a *v1alpha1.Assignment) { a.Spec.Withdrawn = true }

// record is what the hub does when it has recorded an end.
func record(t *testing.T, a *v1alpha1.Assignment) {
	t.Helper()
	require.NoError(t, client.IgnoreNotFound(hub.Delete(t.Context(), a)))
	if read(t, a) && controllerutil.ContainsFinalizer(a, hubFinalizer) {
		edit(t, hub, a, func(a *v1alpha1.Assignment) { controllerutil.RemoveFinalizer(a, hubFinalizer) })
	}
}

// isGone waits until nothing is left of an assignment.
func isGone(t *testing.T, a *v1alpha1.Assignment) {
	t.Helper()
	eventually(t, a.Name+" is gone", func() bool { return !read(t, a) && copyIn(t, a) == nil })
}

func TestLife(t *testing.T) {
	start(t, interceptor.Funcs{})
	queued := metav1.NewMicroTime(time.Now().Add(-time.Hour).Truncate(time.Microsecond))
	a := assignment("life", func(a *v1alpha1.Assignment) { a.Spec.QueuedTime = &queued })
	require.NoError(t, hub.Create(t.Context(), a))
	pod := podOf(t, a)
	assert.Equal(t, "gpu", pod.Labels[v1alpha1.QueueLabel])
	assert.Equal(t, "vision", pod.Labels[v1alpha1.ProjectLabel], "though the project claims no namespace here")
	assert.Equal(t, a.Name, pod.Annotations[v1alpha1.AssignmentAnnotation])
	reaches(t, a, v1alpha1.StatusQueued)
	assert.Contains(t, a.Finalizers, v1alpha1.AgentFinalizer)
	op := copyIn(t, a)
	assert.Equal(t, map[string]string{v1alpha1.OriginNamespaceLabel: "people", v1alpha1.OriginNameLabel: "train"}, op.Labels)
	assert.True(t, op.Status.QueuedTime.Equal(&queued), "it keeps its place in the line")
	require.NoError(t, bind(t, pod))
	report(t, pod, corev1.PodRunning, running())
	reaches(t, a, v1alpha1.StatusRunning)
	report(t, pod, corev1.PodSucceeded, ended(0, `{"accuracy": 0.93}`))
	reaches(t, a, v1alpha1.StatusSucceeded)
	assert.JSONEq(t, "0.93", string(a.Status.Operation.Outputs["accuracy"].Raw))
	require.NotNil(t, copyIn(t, a), "the copy stays until the hub has recorded the end")
	record(t, a)
	isGone(t, a)
}

// What ends an attempt ends the copy: retries are the hub's.
func TestFailuresAreTold(t *testing.T) {
	start(t, interceptor.Funcs{})
	t.Run("of the program", func(t *testing.T) {
		a := assignment("fails")
		require.NoError(t, hub.Create(t.Context(), a))
		pod := podOf(t, a)
		require.NoError(t, bind(t, pod))
		report(t, pod, corev1.PodRunning, running())
		report(t, pod, corev1.PodFailed, ended(3, "no data"))
		reaches(t, a, v1alpha1.StatusFailed)
		assert.Equal(t, v1alpha1.FailureApplication, a.Status.Operation.FailureClass)
		assert.EqualValues(t, 3, *a.Status.Operation.ExitCode)
		record(t, a)
		isGone(t, a)
	})
	t.Run("of the cluster", func(t *testing.T) {
		a := assignment("evicted")
		require.NoError(t, hub.Create(t.Context(), a))
		pod := podOf(t, a)
		require.NoError(t, bind(t, pod))
		report(t, pod, corev1.PodRunning, running())
		reaches(t, a, v1alpha1.StatusRunning)
		require.NoError(t, worker.Delete(t.Context(), pod))
		eventually(t, "it fails", func() bool {
			for _, pod := range podsOf(t, a) {
				play(t, &pod, running())
			}
			return read(t, a) && phase(a) == v1alpha1.StatusFailed
		})
		assert.Equal(t, v1alpha1.FailureInfrastructure, a.Status.Operation.FailureClass)
		record(t, a)
		isGone(t, a)
	})
	t.Run("of what was asked for", func(t *testing.T) {
		a := assignment("wrong", func(a *v1alpha1.Assignment) {
			a.Spec.Operation.Template.Pod.Raw = []byte(`{"spec":{"containers":"none"}}`)
		})
		require.NoError(t, hub.Create(t.Context(), a))
		reaches(t, a, v1alpha1.StatusFailed)
		assert.Equal(t, v1alpha1.FailureConfiguration, a.Status.Operation.FailureClass)
		record(t, a)
		isGone(t, a)
	})
}

// A webhook of the agent's cluster that is down is what the hub is told.
func TestWebhookThereIsDown(t *testing.T) {
	var up atomic.Bool
	start(t, interceptor.Funcs{Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
		if _, copied := o.(*v1alpha1.Operation); copied && !up.Load() {
			return apierrors.NewInternalError(errors.New(`failed calling webhook "operations.example.com": connection refused`))
		}
		return c.Create(ctx, o, options...)
	}})
	a := assignment("webhook-down")
	require.NoError(t, hub.Create(t.Context(), a))
	eventually(t, "it says what is down", func() bool { return read(t, a) && strings.Contains(a.Status.Message, "operations.example.com") })
	up.Store(true)
	reaches(t, a, v1alpha1.StatusQueued)
	assert.Empty(t, a.Status.Message)
	record(t, a)
	isGone(t, a)
}

func TestNothingToRunIn(t *testing.T) {
	start(t, interceptor.Funcs{})
	a := assignment("nowhere", func(a *v1alpha1.Assignment) { a.Spec.Namespace = "later" })
	require.NoError(t, hub.Create(t.Context(), a))
	says := func(what string) {
		eventually(t, "it says "+what, func() bool { return read(t, a) && assert.ObjectsAreEqual(what, a.Status.Message) })
		assert.NotContains(t, a.Finalizers, v1alpha1.AgentFinalizer, "it can move at once")
	}
	says("namespace later does not exist in the cluster of agent east: create it there with label queueyard.io/managed=true, or set spec.namespace of the agent to one that exists")
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "later"}}
	require.NoError(t, worker.Create(t.Context(), namespace))
	says("namespace later has no queues in the cluster of agent east: label it queueyard.io/managed=true there, or set spec.namespace of the agent to one that has")
	edit(t, worker, namespace, func(n *corev1.Namespace) { n.Labels[v1alpha1.ManagedLabel] = "true" })
	reaches(t, a, v1alpha1.StatusQueued)
	assert.Empty(t, a.Status.Message)
	record(t, a)
	isGone(t, a)
	b := assignment("no-queue", func(a *v1alpha1.Assignment) { a.Spec.Operation.Queue = "fast" })
	require.NoError(t, hub.Create(t.Context(), b))
	eventually(t, "it says which queue", func() bool { return read(t, b) && b.Status.Message != "" })
	assert.Contains(t, b.Status.Message, "queue fast of the hub is not in the cluster of agent east")
	m := mirror("queue.fast", v1alpha1.MirrorSpec{Queue: &v1alpha1.QueueSpec{}})
	require.NoError(t, hub.Create(t.Context(), m))
	reaches(t, b, v1alpha1.StatusQueued)
	record(t, b)
	isGone(t, b)
	require.NoError(t, hub.Delete(t.Context(), m))
}

func TestStop(t *testing.T) {
	start(t, interceptor.Funcs{})
	waiting, begun := assignment("stop-waiting"), assignment("stop-begun")
	for _, a := range []*v1alpha1.Assignment{waiting, begun} {
		require.NoError(t, hub.Create(t.Context(), a))
		podOf(t, a)
	}
	pod := podOf(t, begun)
	require.NoError(t, bind(t, pod))
	report(t, pod, corev1.PodRunning, running())
	reaches(t, begun, v1alpha1.StatusRunning)
	for _, a := range []*v1alpha1.Assignment{waiting, begun} {
		require.NoError(t, hub.Delete(t.Context(), a))
		eventually(t, "it is let go", func() bool {
			for _, pod := range podsOf(t, a) {
				play(t, &pod, running())
			}
			return read(t, a) && !controllerutil.ContainsFinalizer(a, v1alpha1.AgentFinalizer)
		})
		assert.Equal(t, v1alpha1.StatusStopped, phase(a), "its end was told before")
		assert.Nil(t, copyIn(t, a))
		assert.Empty(t, podsOf(t, a))
		record(t, a)
	}
}

func TestWithdrawn(t *testing.T) {
	start(t, interceptor.Funcs{})
	t.Run("before it was claimed", func(t *testing.T) {
		a := assignment("withdrawn-early", withdrawn)
		require.NoError(t, hub.Create(t.Context(), a))
		b := assignment("beside")
		require.NoError(t, hub.Create(t.Context(), b))
		podOf(t, b)
		read(t, a)
		assert.NotContains(t, a.Finalizers, v1alpha1.AgentFinalizer)
		record(t, a)
		record(t, b)
		isGone(t, b)
	})
	t.Run("while it waits", func(t *testing.T) {
		a := assignment("withdrawn-waiting")
		require.NoError(t, hub.Create(t.Context(), a))
		podOf(t, a)
		edit(t, hub, a, withdrawn)
		eventually(t, "it is given back", func() bool { return read(t, a) && a.Status.Returned })
		assert.Nil(t, copyIn(t, a))
		assert.Empty(t, podsOf(t, a))
		assert.Contains(t, a.Finalizers, v1alpha1.AgentFinalizer, "until the hub has deleted it")
		record(t, a)
		isGone(t, a)
	})
	t.Run("when it has begun", func(t *testing.T) {
		a := assignment("withdrawn-begun")
		require.NoError(t, hub.Create(t.Context(), a))
		pod := podOf(t, a)
		require.NoError(t, bind(t, pod))
		report(t, pod, corev1.PodRunning, running())
		reaches(t, a, v1alpha1.StatusRunning)
		edit(t, hub, a, withdrawn)
		eventually(t, "it says so", func() bool { return read(t, a) && a.Status.Message == "it has begun, and goes on" })
		report(t, pod, corev1.PodSucceeded, ended(0, ""))
		reaches(t, a, v1alpha1.StatusSucceeded)
		assert.False(t, a.Status.Returned)
		record(t, a)
		isGone(t, a)
	})
}

// Whether what is withdrawn gets a node before it is given back is a race. Either it has begun and goes on to its end, or it is
// given back and never had a node.
func TestWithdrawnAsItBegins(t *testing.T) {
	start(t, interceptor.Funcs{})
	returned, succeeded := 0, 0
	for i := range 20 {
		a := assignment(fmt.Sprintf("race-%d", i))
		require.NoError(t, hub.Create(t.Context(), a))
		pod := podOf(t, a)
		bound, seen := make(chan error, 1), a.DeepCopy()
		go func() {
			for i%2 == 0 { // the agent is on its way
				if op := copyIn(t, seen); op == nil || op.Annotations[v1alpha1.WithdrawnAnnotation] != "" {
					break
				}
			}
			bound <- bind(t, pod)
		}()
		edit(t, hub, a, withdrawn)
		began := <-bound == nil
		eventually(t, "it comes to an end", func() bool {
			for _, pod := range podsOf(t, a) {
				play(t, &pod, ended(0, ""))
			}
			return read(t, a) && (a.Status.Returned || phase(a) == v1alpha1.StatusSucceeded)
		})
		require.Equal(t, !began, a.Status.Returned, "%s: bound %v, then %+v", a.Name, began, a.Status)
		if began {
			succeeded++
		} else {
			returned++
		}
		record(t, a)
		isGone(t, a)
	}
	t.Logf("%d were given back, %d had begun", returned, succeeded)
}

// TestCrashAtEveryWrite lets the worker's controller die before and after each of its writes, at the hub and in the worker.
func TestCrashAtEveryWrite(t *testing.T) {
	for _, way := range []struct {
		name  string
		least int
		live  func(*testing.T, *v1alpha1.Assignment, func() bool)
	}{{"succeeds", 8, liveToItsEnd}, {"given-back", 8, liveUntilWithdrawn}, {"stopped", 8, liveUntilStopped}} {
		for _, after := range []bool{false, true} {
			for k := 1; ; k++ {
				c := testenv.NewCut(k, after)
				a := assignment(fmt.Sprintf("crash-%s-%v-%d", way.name, after, k))
				crashed := false
				t.Run(a.Name, func(t *testing.T) {
					stop := start(t, c.Funcs())
					require.NoError(t, hub.Create(t.Context(), a))
					way.live(t, a, func() bool {
						select {
						case <-c.Died:
							if !crashed {
								crashed = true
								stop()
								c.Heal()
								stop = start(t, c.Funcs())
							}
						default:
						}
						return true
					})
					stop()
					for name, n := range c.Created() {
						assert.Equal(t, 1, n, "%s was created", name)
					}
				})
				if t.Failed() {
					return
				}
				if !crashed {
					assert.Greater(t, k, way.least, "that takes some writes")
					break
				}
			}
		}
	}
}

func liveToItsEnd(t *testing.T, a *v1alpha1.Assignment, tend func() bool) {
	eventually(t, "it succeeds", func() bool {
		for _, pod := range podsOf(t, a) {
			if pod.Spec.NodeName == "" {
				require.NoError(t, bind(t, &pod))
			}
			play(t, &pod, ended(0, `{"n": 1}`))
		}
		return tend() && read(t, a) && phase(a) == v1alpha1.StatusSucceeded
	})
	assert.JSONEq(t, "1", string(a.Status.Operation.Outputs["n"].Raw))
	assert.False(t, a.Status.Lost)
	record(t, a)
	eventually(t, "nothing is left", func() bool { return tend() && !read(t, a) && copyIn(t, a) == nil })
}

func liveUntilWithdrawn(t *testing.T, a *v1alpha1.Assignment, tend func() bool) {
	eventually(t, "it waits", func() bool { return tend() && read(t, a) && phase(a) == v1alpha1.StatusQueued })
	edit(t, hub, a, withdrawn)
	eventually(t, "it is given back", func() bool { return tend() && read(t, a) && a.Status.Returned })
	assert.False(t, a.Status.Lost)
	assert.Nil(t, copyIn(t, a))
	record(t, a)
	eventually(t, "nothing is left", func() bool { return tend() && !read(t, a) })
}

func liveUntilStopped(t *testing.T, a *v1alpha1.Assignment, tend func() bool) {
	runs := func() {
		for _, pod := range podsOf(t, a) {
			if pod.Spec.NodeName == "" && pod.DeletionTimestamp == nil {
				require.NoError(t, bind(t, &pod))
			}
			play(t, &pod, running())
		}
	}
	eventually(t, "it runs", func() bool {
		runs()
		return tend() && read(t, a) && phase(a) == v1alpha1.StatusRunning
	})
	require.NoError(t, hub.Delete(t.Context(), a))
	eventually(t, "it is let go", func() bool {
		runs()
		return tend() && read(t, a) && !controllerutil.ContainsFinalizer(a, v1alpha1.AgentFinalizer)
	})
	assert.Equal(t, v1alpha1.StatusStopped, phase(a))
	assert.False(t, a.Status.Lost)
	assert.Nil(t, copyIn(t, a))
	record(t, a)
}

// An agent may do what its own namespace is for, and nothing else.
func TestIdentity(t *testing.T) {
	c, err := client.New(identityOfAgent, client.Options{Scheme: everything()})
	require.NoError(t, err)
	own, others := v1alpha1.AgentNamespace(agentName), v1alpha1.AgentNamespace("west")
	theirs := assignment("theirs", func(a *v1alpha1.Assignment) { a.Namespace = others })
	theirMirror := &v1alpha1.Mirror{ObjectMeta: metav1.ObjectMeta{Name: "queue.gpu", Namespace: others}, Spec: v1alpha1.MirrorSpec{Name: "gpu", Queue: &v1alpha1.QueueSpec{}}}
	require.NoError(t, hub.Create(t.Context(), theirs))
	require.NoError(t, hub.Create(t.Context(), theirMirror))
	defer record(t, theirs)
	ours := assignment("ours", withdrawn)
	require.NoError(t, hub.Create(t.Context(), ours))
	defer record(t, ours)

	forbidden := func(what string, err error) {
		t.Helper()
		assert.True(t, apierrors.IsForbidden(err), "%s: %v", what, err)
	}
	for _, o := range []client.Object{theirs, theirMirror} {
		forbidden("get", c.Get(t.Context(), client.ObjectKeyFromObject(o), o.DeepCopyObject().(client.Object)))
		changed := o.DeepCopyObject().(client.Object)
		changed.SetFinalizers([]string{v1alpha1.AgentFinalizer})
		forbidden("patch", c.Patch(t.Context(), changed, client.MergeFrom(o)))
		forbidden("update", c.Update(t.Context(), changed))
		forbidden("status", c.Status().Update(t.Context(), changed))
		forbidden("delete", c.Delete(t.Context(), o))
	}
	forbidden("create there", c.Create(t.Context(), assignment("new", func(a *v1alpha1.Assignment) { a.Namespace = others })))
	forbidden("create here", c.Create(t.Context(), assignment("new")))
	forbidden("delete here", c.Delete(t.Context(), ours))
	for _, list := range []client.ObjectList{
		&v1alpha1.OperationList{}, &v1alpha1.WorkflowList{}, &v1alpha1.QueueList{}, &v1alpha1.AgentList{}, &v1alpha1.ProjectList{}, &v1alpha1.AssignmentList{},
		&v1alpha1.MirrorList{}, &corev1.SecretList{}, &corev1.PodList{}, &corev1.NamespaceList{}, &corev1.ConfigMapList{}, &corev1.ServiceAccountList{},
	} {
		forbidden(fmt.Sprintf("list all of %T", list), c.List(t.Context(), list))
		switch list.(type) {
		case *v1alpha1.AssignmentList, *v1alpha1.MirrorList:
			assert.NoError(t, c.List(t.Context(), list, client.InNamespace(own)))
			forbidden("list there", c.List(t.Context(), list, client.InNamespace(others)))
		default:
			forbidden(fmt.Sprintf("list %T here", list), c.List(t.Context(), list, client.InNamespace(own)))
		}
	}
	token := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "token", Namespace: own}}
	forbidden("create a secret", c.Create(t.Context(), token))
	queue := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "mine"}}
	forbidden("create a queue", c.Create(t.Context(), queue))

	require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(ours), ours))
	ours.Status.Returned = true
	require.NoError(t, c.Status().Update(t.Context(), ours))
}

func TestWhatWasSpentOfABudgetIsHeld(t *testing.T) {
	amount := resource.MustParse("4")
	is := &v1alpha1.TenantStatus{
		Enforced: &v1alpha1.EnforcedLimits{Share: v1alpha1.Share{Budget: &amount}, Generation: 3},
		Budget:   &v1alpha1.BudgetStatus{Spent: "5.50"},
	}
	status := &v1alpha1.MirrorStatus{}
	require.EqualValues(t, 3, ofTenant(status, is))
	require.Equal(t, "5500m", status.Held.Budget.String(), "more than its share, which was lowered")
	require.Equal(t, "5500m", status.Demand.Budget.String())
	is.Budget.Spent = "1"
	ofTenant(status, is)
	require.Equal(t, "4", status.Held.Budget.String())
	require.Equal(t, "4", is.Enforced.Budget.String(), "what is in the cache is left alone")
}
