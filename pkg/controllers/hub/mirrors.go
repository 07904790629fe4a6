package hub

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// known are the objects of the hub that agents are told of.
type known struct {
	queues        []v1alpha1.Queue
	projects      []v1alpha1.Project
	organizations []v1alpha1.Organization
}

// mirrors are what an agent is to be told: itself, its queues, and whose operations may come to them.
func mirrors(agent *v1alpha1.Agent, k known) []v1alpha1.Mirror {
	var all []v1alpha1.Mirror
	add := func(kind, name string, spec v1alpha1.MirrorSpec) {
		spec.Name = name
		all = append(all, v1alpha1.Mirror{
			ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.AgentNamespace(agent.Name), Name: kind + "." + name}, Spec: spec,
		})
	}
	own := agent.Spec.DeepCopy()
	own.Remote, own.State = false, v1alpha1.AgentOpen // in its own cluster it is at home
	add("agent", agent.Name, v1alpha1.MirrorSpec{Agent: own})
	for i := range k.queues {
		if q := &k.queues[i]; served(q, agent.Name) {
			add("queue", q.Name, v1alpha1.MirrorSpec{Queue: q.Spec.DeepCopy()})
		}
	}
	for i := range k.projects {
		add("project", k.projects[i].Name, v1alpha1.MirrorSpec{Project: k.projects[i].Spec.DeepCopy()})
	}
	for i := range k.organizations {
		add("organization", k.organizations[i].Name, v1alpha1.MirrorSpec{Organization: k.organizations[i].Spec.DeepCopy()})
	}
	return all
}

// served says whether an agent serves a queue.
func served(q *v1alpha1.Queue, agent string) bool { return q.Spec.Agent == agent }

// agentOf is the agent that a namespace belongs to; empty: none.
func agentOf(namespace string) string {
	name, ok := strings.CutPrefix(namespace, v1alpha1.AgentNamespacePrefix)
	if !ok {
		return ""
	}
	return name
}
