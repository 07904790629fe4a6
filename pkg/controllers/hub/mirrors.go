package hub

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

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

// tenants are the statuses of projects and organizations, by the name of their mirrors.
func (k *known) tenants() map[string]*v1alpha1.TenantStatus {
	all := make(map[string]*v1alpha1.TenantStatus, len(k.projects)+len(k.organizations))
	for i := range k.projects {
		all["project."+k.projects[i].Name] = &k.projects[i].Status
	}
	for i := range k.organizations {
		all["organization."+k.organizations[i].Name] = &k.organizations[i].Status
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
	}
	return nil
}
