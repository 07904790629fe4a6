package webhook

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// controllerUser is who makes what operations run as.
const controllerUser = "system:serviceaccount:queueyard-system:queueyard-controller"

// maxOwners bounds how far up its owners the run of a pod is looked for.
const maxOwners = 4

// The marks of an operation's run. By them a pod counts against the project of another namespace and
// takes an older place in the line, so nobody but the controller may write them.
var (
	markAnnotations = []string{v1alpha1.OriginAnnotation, v1alpha1.QueuedTimeAnnotation, v1alpha1.AssignmentAnnotation}
	markLabels      = []string{v1alpha1.OperationLabel, v1alpha1.OperationUIDLabel, v1alpha1.AttemptLabel, v1alpha1.WorkflowLabel, v1alpha1.WorkflowUIDLabel}
)

// The marks of a workflow's children. By them an operation takes up the room of a workflow, an older place in
// the line, an end without a run, or a say in which trials are stopped.
var (
	childAnnotations = []string{
		v1alpha1.OutcomeAnnotation, v1alpha1.OutcomeMessageAnnotation, v1alpha1.QueuedTimeAnnotation,
		v1alpha1.StopReasonAnnotation, v1alpha1.StopMessageAnnotation, v1alpha1.ReportedAnnotation,
	}
	childLabels = []string{v1alpha1.WorkflowLabel, v1alpha1.WorkflowUIDLabel, v1alpha1.IndexLabel, v1alpha1.IterationLabel, v1alpha1.StepLabel, v1alpha1.WorkflowAttemptLabel}
)

// The marks of an operation that stands for an assignment of the hub. By them it has the project and queue that it names.
var copyAnnotations = []string{v1alpha1.AssignmentAnnotation, v1alpha1.AssignmentUIDAnnotation, v1alpha1.WithdrawnAnnotation}

// marks are those that an object has, by kind and key.
type marks map[string]string

// marksOf are those of a run. What stands for an assignment of the hub counts where the hub has said, so its queue and project,
// or that it has none, are marks, too: nobody asks whether they claim and allow it.
func marksOf(o metav1.Object) marks {
	found := collect(o, markLabels, markAnnotations)
	if o.GetAnnotations()[v1alpha1.AssignmentAnnotation] != "" {
		for _, key := range []string{v1alpha1.QueueLabel, v1alpha1.ProjectLabel} {
			found["label "+key] = o.GetLabels()[key]
		}
	}
	return found
}

func childMarksOf(o metav1.Object) marks { return collect(o, childLabels, childAnnotations) }

func copyMarksOf(o metav1.Object) marks { return collect(o, nil, copyAnnotations) }

func collect(o metav1.Object, labels, annotations []string) marks {
	found := marks{}
	for _, key := range labels {
		if value, ok := o.GetLabels()[key]; ok {
			found["label "+key] = value
		}
	}
	for _, key := range annotations {
		if value, ok := o.GetAnnotations()[key]; ok {
			found["annotation "+key] = value
		}
	}
	return found
}

// differs is a mark that an object has and another has not, or has otherwise; empty: none.
func (m marks) differs(other marks) string {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if theirs, has := other[key]; !has || theirs != m[key] {
			return key
		}
	}
	return ""
}

// marker tells whether marks are the controller's.
type marker struct {
	cached, live client.Reader
}

// errMarks refuses marks.
type errMarks struct{ message string }

func (e *errMarks) Error() string { return e.message }

// answerMarks is nil where there is no objection.
func answerMarks(err error) *admission.Response {
	var refusal *errMarks
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refusal):
		response := deny(http.StatusForbidden, metav1.StatusReasonForbidden, refusal.message)
		return &response
	}
	response := admission.Errored(http.StatusInternalServerError, err)
	return &response
}

// check accepts the marks of an object that is created: the controller made it, or what owns it carries the same.
func (m *marker) check(ctx context.Context, user authenticationv1.UserInfo, namespace string, o metav1.Object, found marks) error {
	if len(found) == 0 || user.Username == controllerUser {
		return nil
	}
	missing, err := m.ownedWith(ctx, namespace, metav1.GetControllerOfNoCopy(o), found)
	if err != nil || missing == "" {
		return err
	}
	return notYours(missing, user, "leave it out, or create an Operation, which gets it")
}

// unchanged refuses to change marks.
func unchanged(user authenticationv1.UserInfo, before, after marks) error {
	changed := before.differs(after)
	if changed == "" {
		changed = after.differs(before)
	}
	if changed == "" || user.Username == controllerUser {
		return nil
	}
	return notYours(changed, user, "leave it as it is")
}

// checkChild accepts the marks of a child of a workflow that is created: the controller makes those.
func checkChild(user authenticationv1.UserInfo, found marks) error {
	if len(found) == 0 || user.Username == controllerUser {
		return nil
	}
	return notYours(found.differs(nil), user, "leave it out, or create a Workflow, whose children get it")
}

// checkCopy accepts the marks of an operation that stands for an assignment: the agent makes those.
func checkCopy(user authenticationv1.UserInfo, found marks) error {
	if len(found) == 0 || user.Username == controllerUser {
		return nil
	}
	return notYours(found.differs(nil), user, "leave it out, or create an Operation at the hub, in a queue of this cluster's agent")
}

func notYours(mark string, user authenticationv1.UserInfo, remedy string) error {
	return &errMarks{fmt.Sprintf("%s is written by %s alone, not by %q: %s", mark, "queueyard-controller", user.Username, remedy)}
}

// ownedWith looks for the marks on what owns an object, and says which one is not there. Jobs are
// under admission themselves. Other kinds are not, so they count only as the run that an operation's status names.
func (m *marker) ownedWith(ctx context.Context, namespace string, owner *metav1.OwnerReference, found marks) (string, error) {
	first := found.differs(nil)
	for range maxOwners {
		if owner == nil {
			return first, nil
		}
		gv, err := schema.ParseGroupVersion(owner.APIVersion)
		if err != nil {
			return first, nil
		}
		if gv.Group == batchv1.GroupName && owner.Kind == "Job" {
			job := &batchv1.Job{}
			if err := m.read(ctx, namespace, owner, job); err != nil || job.UID != owner.UID {
				return first, client.IgnoreNotFound(err)
			}
			if found.differs(marksOf(job)) == "" {
				return "", nil
			}
			return found.differs(marksOf(&job.Spec.Template)), nil
		}
		object := &metav1.PartialObjectMetadata{}
		object.SetGroupVersionKind(gv.WithKind(owner.Kind))
		err = m.live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: owner.Name}, object)
		if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) || isNoKind(err) {
			return first, nil // no operation runs as what the controller may not read
		}
		if err != nil {
			return "", fmt.Errorf("%s %q could not be read: %w", owner.Kind, owner.Name, err)
		}
		if object.UID != owner.UID {
			return first, nil
		}
		is, err := m.isRun(ctx, namespace, owner, found)
		if err != nil {
			return "", err
		}
		if is {
			return found.differs(marksOf(object)), nil
		}
		owner = metav1.GetControllerOfNoCopy(object)
	}
	return first, nil
}

// isRun says whether the operation that marks name runs as an object.
func (m *marker) isRun(ctx context.Context, namespace string, object *metav1.OwnerReference, found marks) (bool, error) {
	key := client.ObjectKey{Namespace: found["annotation "+v1alpha1.OriginAnnotation], Name: found["label "+v1alpha1.OperationLabel]}
	if key.Namespace == "" || key.Name == "" {
		return false, nil
	}
	for _, reader := range []client.Reader{m.cached, m.live} {
		op := &v1alpha1.Operation{}
		err := reader.Get(ctx, key, op)
		if client.IgnoreNotFound(err) != nil {
			return false, fmt.Errorf("operation %q could not be read: %w", key, err)
		}
		run := v1alpha1.RunReference{APIVersion: object.APIVersion, Kind: object.Kind, Namespace: namespace, Name: object.Name}
		if err == nil && op.Status.Run != nil && *op.Status.Run == run && string(op.UID) == found["label "+v1alpha1.OperationUIDLabel] {
			return true, nil
		}
	}
	return false, nil
}

// read asks the cache first, which holds the Jobs of operations.
func (m *marker) read(ctx context.Context, namespace string, owner *metav1.OwnerReference, into client.Object) error {
	key := client.ObjectKey{Namespace: namespace, Name: owner.Name}
	err := m.cached.Get(ctx, key, into)
	if apierrors.IsNotFound(err) || err == nil && into.GetUID() != owner.UID {
		err = m.live.Get(ctx, key, into)
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("%s %q could not be read: %w", owner.Kind, owner.Name, err)
	}
	return err
}
