package operation

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/operation"
	"github.com/queueyard/queueyard/pkg/routing"
)

// byOperation indexes pods and Jobs by the operation that they were made for.
const byOperation = "operation"

func indexRuns(mgr ctrl.Manager) error {
	for _, object := range []client.Object{&corev1.Pod{}, &batchv1.Job{}, &v1alpha1.Assignment{}} {
		if err := mgr.GetFieldIndexer().IndexField(context.Background(), object, byOperation, operationKey); err != nil {
			return err
		}
	}
	return nil
}

func operationKey(o client.Object) []string {
	if key, ok := keyOf(o); ok {
		return []string{key.String()}
	}
	return nil
}

// podsOf are the cached pods that were made for an operation of a name.
func (r *Reconciler) podsOf(ctx context.Context, key types.NamespacedName) ([]corev1.Pod, error) {
	pods := &corev1.PodList{}
	err := r.client.List(ctx, pods, client.MatchingFields{byOperation: key.String()}, client.UnsafeDisableDeepCopy)
	return pods.Items, err
}

// jobsOf are the cached Jobs that were made for an operation of a name.
func (r *Reconciler) jobsOf(ctx context.Context, key types.NamespacedName) ([]batchv1.Job, error) {
	jobs := &batchv1.JobList{}
	err := r.client.List(ctx, jobs, client.MatchingFields{byOperation: key.String()}, client.UnsafeDisableDeepCopy)
	return jobs.Items, err
}

// assignmentsOf are the cached Assignments that were made for an operation of a name.
func (r *Reconciler) assignmentsOf(ctx context.Context, key types.NamespacedName) ([]v1alpha1.Assignment, error) {
	assignments := &v1alpha1.AssignmentList{}
	err := r.client.List(ctx, assignments, client.MatchingFields{byOperation: key.String()}, client.UnsafeDisableDeepCopy)
	return assignments.Items, err
}

// work is one look at one operation.
type work struct {
	*Reconciler
	op *v1alpha1.Operation
	// fresh is the operation with its template, once it was read.
	fresh *v1alpha1.Operation
	made  *made
	// choice is which of several agents gets it now.
	choice routing.Choice
	// released says whether its workflows let it to its queue.
	released bool
	// err is the first thing that could not be read while a decision was made.
	err error
}

// sight is what is seen of the current attempt.
type sight struct {
	object      client.Object // nil: there is none
	observation operation.Observation
	held        bool
	// hindrance is what keeps it from having pods, or nil.
	hindrance *hindrance
	// again is when to look again though nothing changes; 0: never.
	again time.Duration
}

// observe looks at the object of the current attempt.
func (w *work) observe(ctx context.Context) (sight, error) {
	none := sight{observation: operation.Observation{Stage: operation.Absent}}
	ref := w.op.Status.Run
	if ref == nil || w.op.Status.Attempt == 0 {
		return none, nil
	}
	object, err := w.read(ctx, w.client, ref)
	if apierrors.IsNotFound(err) && (!waits(w.op.Status.Phase) || operation.Withdrawn(w.op)) {
		// It ran, or is to be given back: that there is none must be true now, not only in a cache.
		object, err = w.read(ctx, w.live, ref)
	}
	if apierrors.IsNotFound(err) {
		return none, nil
	}
	if unread := (*errKind)(nil); errors.As(err, &unread) && !waits(w.op.Status.Phase) {
		// Somebody has removed its CRD, or the right to it. What became of it nobody can tell.
		return sight{observation: operation.Observation{Stage: operation.Lost, Cause: unread.cause}, again: lastRetry}, nil
	}
	if err != nil {
		return none, err
	}
	if object.GetLabels()[v1alpha1.OperationUIDLabel] != string(w.op.UID) {
		return none, nil // of an earlier operation of this name; creation will say so
	}
	s := sight{object: object, held: slices.Contains(object.GetFinalizers(), v1alpha1.OperationFinalizer)}
	s.observation, err = w.observation(ctx, object)
	if err == nil && s.observation.Stage == operation.Starting && s.observation.Warning == nil {
		s.observation.Warning = w.trouble(ctx, object, s.observation)
	}
	if err == nil && s.observation.Stage == operation.Waiting && !s.observation.Deleting && !isAssignment(ref) {
		s.hindrance, s.again = w.heldUp(ctx, object)
	}
	return s, err
}

func (w *work) read(ctx context.Context, reader client.Reader, ref *v1alpha1.RunReference) (client.Object, error) {
	key := client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}
	switch {
	case ref.APIVersion == "v1" && ref.Kind == "Pod":
		pod := &corev1.Pod{}
		return pod, reader.Get(ctx, key, pod)
	case ref.APIVersion == "batch/v1" && ref.Kind == "Job":
		job := &batchv1.Job{}
		return job, reader.Get(ctx, key, job)
	}
	if isAssignment(ref) {
		a := &v1alpha1.Assignment{}
		return a, reader.Get(ctx, key, a)
	}
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(ref.APIVersion)
	object.SetKind(ref.Kind)
	if reader == client.Reader(w.client) {
		var err error
		if reader, err = w.kinds.reader(ctx, object.GroupVersionKind()); err != nil {
			return nil, err
		}
	}
	return object, reader.Get(ctx, key, object)
}

// podsOfAttempt are the cached pods of the current attempt, where it runs: elsewhere anybody may write its marks. They are the
// cache's.
func (w *work) podsOfAttempt(ctx context.Context) (pods []*corev1.Pod, err error) {
	all, err := w.podsOf(ctx, client.ObjectKeyFromObject(w.op))
	for i := range all {
		if ofAttempt(&all[i], w.op) {
			pods = append(pods, &all[i])
		}
	}
	return pods, err
}

func ofAttempt(pod *corev1.Pod, op *v1alpha1.Operation) bool {
	labels, run := pod.Labels, op.Status.Run
	return run != nil && pod.Namespace == run.Namespace && labels[v1alpha1.AttemptLabel] == strconv.Itoa(int(op.Status.Attempt)) && labels[v1alpha1.OperationUIDLabel] == string(op.UID)
}

func (w *work) observation(ctx context.Context, object client.Object) (operation.Observation, error) {
	if pod, ok := object.(*corev1.Pod); ok {
		return operation.ObservePod(pod), nil
	}
	if a, ok := object.(*v1alpha1.Assignment); ok {
		contact, err := contactOf(ctx, w.client, a)
		return operation.ObserveAssignment(a, contact), err
	}
	pods, err := w.podsOfAttempt(ctx)
	if err != nil {
		return operation.Observation{}, err
	}
	if job, ok := object.(*batchv1.Job); ok {
		return operation.ObserveJob(job, pods), nil
	}
	conditions, err := w.conditions(ctx)
	if err != nil {
		return operation.Observation{}, err
	}
	return operation.ObserveObject(object.(*unstructured.Unstructured), pods, conditions), nil
}
