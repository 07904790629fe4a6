package agent

import (
	"encoding/json"
	"maps"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// kinds are those of which there are mirrors, by the word that begins a mirror's name.
var kinds = map[string]func() client.Object{
	"agent":        func() client.Object { return &v1alpha1.Agent{} },
	"queue":        func() client.Object { return &v1alpha1.Queue{} },
	"project":      func() client.Object { return &v1alpha1.Project{} },
	"organization": func() client.Object { return &v1alpha1.Organization{} },
}

// kindOf is the word for an object.
func kindOf(o client.Object) string {
	switch o.(type) {
	case *v1alpha1.Agent:
		return "agent"
	case *v1alpha1.Queue:
		return "queue"
	case *v1alpha1.Project:
		return "project"
	case *v1alpha1.Organization:
		return "organization"
	}
	return ""
}

// mirrorOf is the name of the mirror of an object.
func mirrorOf(o client.Object) string { return kindOf(o) + "." + o.GetName() }

// objectOf is an empty object of the kind and name that a mirror's name tells; nil: it tells none.
func objectOf(mirror string) client.Object {
	kind, name, found := strings.Cut(mirror, ".")
	if !found || kinds[kind] == nil || name == "" {
		return nil
	}
	o := kinds[kind]()
	o.SetName(name)
	return o
}

// wanted gives an object the spec that a mirror has for it; false: the mirror is of something else. The queues are this
// agent's, and here the agent is no remote one.
func wanted(o client.Object, spec *v1alpha1.MirrorSpec, agent string) bool {
	if o.GetName() != spec.Name {
		return false
	}
	switch o := o.(type) {
	case *v1alpha1.Agent:
		if spec.Agent == nil {
			return false
		}
		o.Spec = *spec.Agent.DeepCopy()
		o.Spec.Remote, o.Spec.State = false, v1alpha1.AgentOpen
	case *v1alpha1.Queue:
		if spec.Queue == nil {
			return false
		}
		o.Spec = *spec.Queue.DeepCopy()
		o.Spec.Agent = agent
		shareOf(o, spec.Whole)
	case *v1alpha1.Project:
		if spec.Project == nil {
			return false
		}
		o.Spec = *spec.Project.DeepCopy()
		shareOf(o, spec.Whole)
	case *v1alpha1.Organization:
		if spec.Organization == nil {
			return false
		}
		o.Spec = *spec.Organization.DeepCopy()
		shareOf(o, spec.Whole)
	}
	return true
}

// shareOf notes what the limits of a tenant or a queue are this cluster's share of.
func shareOf(o client.Object, whole *v1alpha1.Share) {
	annotations := maps.Clone(o.GetAnnotations())
	delete(annotations, v1alpha1.ShareOfAnnotation)
	if whole != nil {
		text, err := json.Marshal(whole)
		if err != nil {
			panic(err) // it was read as JSON
		}
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[v1alpha1.ShareOfAnnotation] = string(text)
	}
	o.SetAnnotations(annotations)
}

// mine says whether an object is one that the agent keeps as the hub has it.
func mine(o client.Object, agent string) bool { return o.GetLabels()[v1alpha1.MirroredLabel] == agent }
