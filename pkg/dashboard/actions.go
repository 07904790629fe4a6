package dashboard

import (
	"fmt"
	"net/http"

	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	queueyard "github.com/queueyard/queueyard/pkg/client"
)

// action is something that can be done to what a page shows.
type action struct {
	Name string `json:"name"`
	// Refused is why it can't be done now. Empty: it can.
	Refused string `json:"refused,omitempty"`
}

// moveAction changes queue or priority of what waits.
const moveAction = "move"

// queueStates are what the actions on queues make of them.
var queueStates = map[string]v1alpha1.QueueState{"pause": v1alpha1.QueuePaused, "drain": v1alpha1.QueueDraining, "open": v1alpha1.QueueOpen}

// mayPatch says whether the visitor may change an object.
func (s *Server) mayPatch(c *call, group, resource string, o client.Object) (bool, error) {
	if s.options.ReadOnly {
		return false, nil
	}
	return c.may(c.Context(), authorizationv1.ResourceAttributes{Verb: "patch", Group: group, Resource: resource, Namespace: o.GetNamespace(), Name: o.GetName()})
}

// actionsOn are those that the visitor may do to what stands in a queue; none of what they may not change.
func (s *Server) actionsOn(c *call, o client.Object) ([]action, error) {
	group, resource := v1alpha1.GroupVersion.Group, "operations"
	switch o.(type) {
	case *v1alpha1.Workflow:
		resource = "workflows"
	case *batchv1.Job, *corev1.Pod:
		group, resource = "", "pods"
	}
	actions := []action{}
	if may, err := s.mayPatch(c, group, resource, o); err != nil || !may {
		return actions, err
	}
	if resource != "pods" {
		for _, a := range []queueyard.Action{queueyard.Approve, queueyard.Stop, queueyard.Resume, queueyard.Restart} {
			offered := action{Name: string(a)}
			if err := a.May(o); err != nil {
				offered.Refused = err.Error()
			}
			actions = append(actions, offered)
		}
	}
	move := action{Name: moveAction}
	switch o := o.(type) {
	case *corev1.Pod:
		if o.Spec.NodeName != "" {
			move.Refused = "is on a node: it stays there until it ends"
		}
	default:
		if queueyard.Over(o) {
			move.Refused = "is over: it waits nowhere"
		}
	}
	return append(actions, move), nil
}

func (s *Server) queueActions(c *call, q *v1alpha1.Queue) ([]action, error) {
	actions := []action{}
	if may, err := s.mayPatch(c, v1alpha1.GroupVersion.Group, "queues", q); err != nil || !may {
		return actions, err
	}
	for _, name := range []string{"open", "pause", "drain"} {
		a := action{Name: name}
		if q.Spec.State == queueStates[name] || q.Spec.State == "" && name == "open" {
			a.Refused = fmt.Sprintf("is %s already", queueStates[name])
		}
		actions = append(actions, a)
	}
	return actions, nil
}

// deed is an action that is asked for.
type deed struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Action    string `json:"action"`
	// Queue and Priority of a move.
	Queue    string `json:"queue"`
	Priority *int32 `json:"priority"`
}

// done is what came of it, in a sentence.
type done struct {
	Message string `json:"message"`
}

// act does what is asked for, with the rights of whoever asks: the API server and admission decide.
func (s *Server) act(c *call) (any, error) {
	if s.options.ReadOnly {
		return nil, refusal("the dashboard is read only: qy does it")
	}
	var d deed
	if err := read(c.w, c.Request, &d); err != nil {
		return nil, err
	}
	if d.Kind == "queue" {
		return c.setState(d)
	}
	o := objectOf(d.Kind)
	if o == nil {
		return nil, bad(fmt.Sprintf("there is no kind %q", d.Kind))
	}
	if err := c.get(c.Context(), d.Namespace, d.Name, o); err != nil {
		return nil, err
	}
	if d.Action == moveAction {
		if d.Queue == "" && d.Priority == nil {
			return nil, bad("nothing is to be changed: give a queue or a priority")
		}
		says, err := c.qy.Move(c.Context(), o, queueyard.Place{Queue: d.Queue, Priority: d.Priority})
		return done{says}, conflict(err)
	}
	says, err := c.qy.Act(c.Context(), o, queueyard.Action(d.Action))
	return done{queueyard.Title(o) + " " + says}, conflict(err)
}

func (c *call) setState(d deed) (any, error) {
	state, ok := queueStates[d.Action]
	if !ok {
		return nil, bad(fmt.Sprintf("a queue can't be told to %q: there are open, pause and drain", d.Action))
	}
	q := &v1alpha1.Queue{}
	if err := c.get(c.Context(), "", d.Name, q); err != nil {
		return nil, err
	}
	before := q.DeepCopy()
	q.Spec.State = state
	if err := c.Patch(c.Context(), q, client.MergeFrom(before), client.FieldOwner(fieldManager)); err != nil {
		return nil, err
	}
	return done{fmt.Sprintf("queue %s is %s", q.Name, state)}, nil
}

// fieldManager is who wrote what the dashboard writes.
const fieldManager = "queueyard-dashboard"

func refusal(message string) error {
	return &apierrors.StatusError{ErrStatus: *statusOf(http.StatusForbidden, "ReadOnly", message)}
}

// conflict gives what can't be done as things stand a status of its own.
func conflict(err error) error {
	if err == nil || apierrors.ReasonForError(err) != "" {
		return err
	}
	return &apierrors.StatusError{ErrStatus: *statusOf(http.StatusConflict, "Conflict", err.Error())}
}

// objectOf is an empty object of a kind as it is written in addresses; nil: there is none.
func objectOf(kind string) client.Object {
	switch kind {
	case "operation":
		return &v1alpha1.Operation{}
	case "workflow":
		return &v1alpha1.Workflow{}
	case "job":
		return &batchv1.Job{}
	case "pod":
		return &corev1.Pod{}
	}
	return nil
}

// shown are the resources whose objects can be read as they are.
var shown = map[string]schema.GroupVersionKind{
	"operations": v1alpha1.GroupVersion.WithKind("Operation"), "workflows": v1alpha1.GroupVersion.WithKind("Workflow"), "components": v1alpha1.GroupVersion.WithKind("Component"),
	"queues": v1alpha1.GroupVersion.WithKind("Queue"), "agents": v1alpha1.GroupVersion.WithKind("Agent"), "projects": v1alpha1.GroupVersion.WithKind("Project"),
	"organizations": v1alpha1.GroupVersion.WithKind("Organization"), "jobs": batchv1.SchemeGroupVersion.WithKind("Job"), "pods": corev1.SchemeGroupVersion.WithKind("Pod"),
}
