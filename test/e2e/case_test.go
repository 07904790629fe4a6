package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/test/audit"
)

// patience is how long anything may take that is not measured, on a loaded machine.
const patience = 2 * time.Minute

// scenario is one case with its own namespace and agent, watched by an audit.
type scenario struct {
	*testing.T
	*home
	namespace string
	agent     string
	audit     *audit.Watcher
}

// begin moves a case in, which runs beside others from here on, and makes its namespace, under admission, and its
// agent, and starts its audit. At the end the audit must have found nothing.
func begin(t *testing.T, name string) *scenario {
	t.Helper()
	return beginWith(t, name, true, audit.DefaultConfig())
}

func beginWith(t *testing.T, name string, managed bool, config audit.Config) *scenario {
	t.Helper()
	t.Parallel()
	return moveIn(t).begin(t, name, managed, config)
}

func (h *home) begin(t *testing.T, name string, managed bool, config audit.Config) *scenario {
	t.Helper()
	s := &scenario{T: t, home: h, namespace: "e2e-" + name, agent: "e2e-" + name}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
	if managed {
		ns.Labels = map[string]string{v1alpha1.ManagedLabel: "true"}
	}
	s.create(ns, &v1alpha1.Agent{ObjectMeta: metav1.ObjectMeta{Name: s.agent}})
	var err error
	s.audit, err = audit.Watch(t.Context(), s.config, config, nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		violations := s.audit.Stop()
		for _, v := range violations {
			t.Errorf("violation: %s", v)
		}
		if t.Failed() {
			s.describe()
		}
		s.clean()
	})
	return s
}

// in is the case in a test that is part of it.
func (s *scenario) in(t *testing.T) *scenario {
	part := *s
	part.T = t
	return &part
}

// clean deletes what the case made, so that the next begins with idle nodes.
func (s *scenario) clean() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	now, background := int64(0), metav1.DeletePropagationBackground
	in := client.InNamespace(s.namespace)
	for _, kind := range []client.Object{&v1alpha1.Workflow{}, &v1alpha1.Operation{}} {
		if err := s.objects.DeleteAllOf(ctx, kind, in); err != nil {
			s.Errorf("clean namespace %s: %v", s.namespace, err)
		}
	}
	for _, kind := range []client.Object{&batchv1.Job{}, &corev1.Pod{}} {
		err := s.objects.DeleteAllOf(ctx, kind, in, &client.DeleteAllOfOptions{
			DeleteOptions: client.DeleteOptions{GracePeriodSeconds: &now, PropagationPolicy: &background}})
		if err != nil {
			s.Errorf("clean namespace %s: %v", s.namespace, err)
		}
	}
	err := wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		pods := &corev1.PodList{}
		return s.objects.List(ctx, pods, in) == nil && len(pods.Items) == 0, nil
	})
	if err != nil {
		s.Errorf("pods of namespace %s do not go: %v", s.namespace, err)
	}
}

// describe logs what the pods of a failed case were doing.
func (s *scenario) describe() {
	for _, p := range s.pods(context.Background()) {
		text := fmt.Sprintf("pod %s queue %s node %q phase %s", p.Name, p.Labels[v1alpha1.QueueLabel], p.Spec.NodeName, p.Status.Phase)
		for _, c := range p.Status.Conditions {
			if c.Status == corev1.ConditionFalse && c.Message != "" {
				text += fmt.Sprintf("; %s %s: %s", c.Type, c.Reason, c.Message)
			}
		}
		if p.Status.Phase != corev1.PodSucceeded {
			s.Log(text)
		}
	}
	for _, q := range s.audit.Summary() {
		if strings.HasPrefix(q.Queue, s.agent) {
			s.Logf("%+v", q)
		}
	}
}

func (s *scenario) create(objects ...client.Object) {
	s.Helper()
	for _, o := range objects {
		require.NoError(s, s.objects.Create(s.Context(), o), "create %T %s", o, o.GetName())
	}
}

// queue makes a queue of the case's agent and returns its name, which the case's name makes unique.
func (s *scenario) queue(name string, edits ...func(*v1alpha1.QueueSpec)) string {
	s.Helper()
	q := &v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: s.agent + "-" + name}, Spec: v1alpha1.QueueSpec{Agent: s.agent}}
	for _, edit := range edits {
		edit(&q.Spec)
	}
	s.create(q)
	return q.Name
}

func seats(n int32) func(*v1alpha1.QueueSpec) {
	return func(s *v1alpha1.QueueSpec) { s.Concurrency = &n }
}

func priority(n int32) func(*v1alpha1.QueueSpec) {
	return func(s *v1alpha1.QueueSpec) { s.Priority = &n }
}

func quota(name corev1.ResourceName, amount string) func(*v1alpha1.QueueSpec) {
	return func(s *v1alpha1.QueueSpec) {
		s.Quota = &v1alpha1.Quota{Resources: map[corev1.ResourceName]resource.Quantity{name: resource.MustParse(amount)}}
	}
}

// edit changes an object as kubectl edit would.
func edit[T client.Object](s *scenario, o T, name string, change func(T)) {
	s.Helper()
	require.NoError(s, s.objects.Get(s.Context(), client.ObjectKey{Namespace: o.GetNamespace(), Name: name}, o))
	before := o.DeepCopyObject().(client.Object)
	change(o)
	require.NoError(s, s.objects.Patch(s.Context(), o, client.MergeFrom(before)))
}

func (s *scenario) editQueue(name string, change func(*v1alpha1.QueueSpec)) {
	s.Helper()
	edit(s, &v1alpha1.Queue{}, name, func(q *v1alpha1.Queue) { change(&q.Spec) })
}

// simulated is a template of a pod that runs for so long on a simulated node.
func simulated(seconds string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"sandbox.queueyard.io/duration": seconds + "s"}},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			NodeSelector:  map[string]string{"type": "simulated"},
			Tolerations:   []corev1.Toleration{{Key: "queueyard.io/simulated", Operator: corev1.TolerationOpExists}},
			Containers:    []corev1.Container{{Name: "main", Image: "none"}},
		},
	}
}

// asking adds a request; of extended resources the limit must be the same.
func asking(t corev1.PodTemplateSpec, name corev1.ResourceName, amount string) corev1.PodTemplateSpec {
	list := corev1.ResourceList{name: resource.MustParse(amount)}
	t.Spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: list, Limits: list}
	return t
}

// job makes a Job whose own label names the queue; an empty one names none.
func (s *scenario) job(name, queue string, template corev1.PodTemplateSpec) *batchv1.Job {
	j := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}, Spec: batchv1.JobSpec{Template: template, BackoffLimit: new(int32)}}
	if queue != "" {
		j.Labels = map[string]string{v1alpha1.QueueLabel: queue}
	}
	return j
}

// pod makes a bare pod in a queue.
func (s *scenario) pod(name, queue string, template corev1.PodTemplateSpec) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: *template.ObjectMeta.DeepCopy(), Spec: template.Spec}
	p.Namespace, p.Name = s.namespace, name
	if queue != "" {
		p.Labels = map[string]string{v1alpha1.QueueLabel: queue}
	}
	return p
}

// createTogether creates many objects at once.
func (s *scenario) createTogether(objects []client.Object) {
	s.Helper()
	errs := make([]error, len(objects))
	workqueue.ParallelizeUntil(s.Context(), 16, len(objects), func(i int) { errs[i] = s.objects.Create(s.Context(), objects[i]) })
	for i, err := range errs {
		require.NoError(s, err, "create %s", objects[i].GetName())
	}
}

// eventually waits for something, and says what was seen last if it never comes.
func (s *scenario) eventually(what string, seen func() (ok bool, last any)) {
	s.Helper()
	var last any
	err := wait.PollUntilContextTimeout(s.Context(), 50*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		var ok bool
		ok, last = seen()
		return ok, nil
	})
	require.NoError(s, err, "%s; last seen: %v", what, last)
}

func (s *scenario) pods(ctx context.Context) []corev1.Pod {
	list := &corev1.PodList{}
	if err := s.objects.List(ctx, list, client.InNamespace(s.namespace)); err != nil {
		s.Logf("list pods of %s: %v", s.namespace, err)
	}
	return list.Items
}

// watchPods shows every version of every pod of the case, until its end.
func (s *scenario) watchPods(look func(*corev1.Pod)) {
	s.Helper()
	factory := informers.NewSharedInformerFactoryWithOptions(s.client, 0, informers.WithNamespace(s.namespace))
	_, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) { look(obj.(*corev1.Pod)) }, UpdateFunc: func(_, obj any) { look(obj.(*corev1.Pod)) },
	})
	require.NoError(s, err)
	factory.Start(s.Context().Done())
	factory.WaitForCacheSync(s.Context().Done())
}

// counts are the pods of a queue by what they do.
type counts struct{ waiting, running, succeeded, failed int }

func (c counts) all() int { return c.waiting + c.running + c.succeeded + c.failed }

func (s *scenario) count(queue string) (c counts) {
	for _, p := range s.pods(s.Context()) {
		switch {
		case p.Labels[v1alpha1.QueueLabel] != queue:
		case p.Status.Phase == corev1.PodSucceeded:
			c.succeeded++
		case p.Status.Phase == corev1.PodFailed:
			c.failed++
		case p.Spec.NodeName != "":
			c.running++
		default:
			c.waiting++
		}
	}
	return c
}

// until waits for the pods of a queue to do something.
func (s *scenario) until(what, queue string, ok func(counts) bool) {
	s.Helper()
	s.eventually("queue "+queue+": "+what, func() (bool, any) {
		c := s.count(queue)
		return ok(c), fmt.Sprintf("%+v", c)
	})
}

func succeed(n int) func(counts) bool { return func(c counts) bool { return c.succeeded == n } }

// get reads a pod again.
func (s *scenario) get(pod string) *corev1.Pod {
	s.Helper()
	p := &corev1.Pod{}
	require.NoError(s, s.objects.Get(s.Context(), client.ObjectKey{Namespace: s.namespace, Name: pod}, p))
	return p
}

// says waits until the condition of a waiting pod has a reason, and returns its message.
func (s *scenario) says(pod, reason string) (message string) {
	s.Helper()
	s.eventually("pod "+pod+" says "+reason, func() (bool, any) {
		p := &corev1.Pod{}
		if err := s.objects.Get(s.Context(), client.ObjectKey{Namespace: s.namespace, Name: pod}, p); err != nil {
			return false, err
		}
		for _, c := range p.Status.Conditions {
			if c.Type == v1alpha1.AdmittedCondition && c.Status == corev1.ConditionFalse && c.Reason == reason {
				message = c.Message
				return true, nil
			}
		}
		return false, p.Status.Conditions
	})
	return message
}

// peak is the largest number of operations of a queue that the audit saw running at one moment.
func (s *scenario) peak(queue string) int {
	for _, q := range s.audit.Summary() {
		if q.Queue == queue {
			return q.Peak
		}
	}
	return 0
}
