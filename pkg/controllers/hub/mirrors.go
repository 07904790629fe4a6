package hub

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/tenancy"
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
			spec := q.Spec.DeepCopy()
			spec.Agent, spec.Agents, spec.Routing = agent.Name, nil, "" // in its cluster it is alone
			add("queue", q.Name, v1alpha1.MirrorSpec{Queue: spec})
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

// served says whether an agent serves a queue, or has a share of its limits from when it did.
func served(q *v1alpha1.Queue, agent string) bool {
	return tenancy.InfoOf(q).Serves(agent) || slices.ContainsFunc(q.Status.Shares, func(s v1alpha1.AgentShare) bool { return s.Agent == agent })
}

// shared says whether the limits of a queue are divided among clusters.
func shared(q *v1alpha1.Queue) bool { return tenancy.Several(q) || len(q.Status.Shares) > 0 }

// agentOf is the agent that a namespace belongs to; empty: none.
func agentOf(namespace string) string {
	name, ok := strings.CutPrefix(namespace, v1alpha1.AgentNamespacePrefix)
	if !ok {
		return ""
	}
	return name
}

// given are the shares of what is divided among clusters, by the name of its mirrors.
func (k *known) given() map[string][]v1alpha1.AgentShare {
	all := make(map[string][]v1alpha1.AgentShare, len(k.projects)+len(k.organizations))
	for i := range k.projects {
		all["project."+k.projects[i].Name] = k.projects[i].Status.Shares
	}
	for i := range k.organizations {
		all["organization."+k.organizations[i].Name] = k.organizations[i].Status.Shares
	}
	for i := range k.queues {
		if q := &k.queues[i]; shared(q) {
			all["queue."+q.Name] = q.Status.Shares
		}
	}
	return all
}

// sharesChanged says whether the shares of a tenant are others. What it uses changes every second.
func sharesChanged(e event.UpdateEvent) bool {
	return !equality.Semantic.DeepEqual(sharesOf(e.ObjectOld), sharesOf(e.ObjectNew))
}

func sharesOf(o client.Object) []v1alpha1.AgentShare {
	switch o := o.(type) {
	case *v1alpha1.Project:
		return o.Status.Shares
	case *v1alpha1.Organization:
		return o.Status.Shares
	case *v1alpha1.Queue:
		return o.Status.Shares
	}
	return nil
}
