package scheduler

import (
	"maps"

	"k8s.io/apimachinery/pkg/types"
	podgroups "sigs.k8s.io/scheduler-plugins/apis/scheduling/v1alpha1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// directory is what the room knows of queues, tenants and namespaces. Everybody's pods are
// resolved against it, so it remembers which projects claim a namespace until something changes.
type directory struct {
	*tenancy.Index
	queues     map[string]*v1alpha1.Queue
	agents     map[string]*v1alpha1.Agent
	namespaces map[string]map[string]string // labels by name
	podGroups  map[types.NamespacedName]*podgroups.PodGroup
	claims     map[string][]*v1alpha1.Project
}

func newDirectory() *directory {
	return &directory{
		Index:      tenancy.NewIndex(),
		queues:     map[string]*v1alpha1.Queue{},
		agents:     map[string]*v1alpha1.Agent{},
		namespaces: map[string]map[string]string{},
		podGroups:  map[types.NamespacedName]*podgroups.PodGroup{},
		claims:     map[string][]*v1alpha1.Project{},
	}
}

// ProjectsOf implements tenancy.Directory.
func (d *directory) ProjectsOf(namespace string, labels map[string]string) []*v1alpha1.Project {
	claims, ok := d.claims[namespace]
	if !ok {
		claims = d.Index.ProjectsOf(namespace, labels)
		d.claims[namespace] = claims
	}
	return claims
}

// forgetClaims is called when a project or the labels of a namespace change.
func (d *directory) forgetClaims() { clear(d.claims) }

// setNamespace says whether the change matters to who claims it.
func (d *directory) setNamespace(name string, labels map[string]string) (changed bool) {
	old, known := d.namespaces[name]
	if known && maps.Equal(old, labels) {
		return false
	}
	d.namespaces[name] = labels
	delete(d.claims, name)
	return true
}

func (d *directory) knowsNamespace(name string) bool {
	_, ok := d.namespaces[name]
	return ok
}

func (d *directory) deleteNamespace(name string) {
	delete(d.namespaces, name)
	delete(d.claims, name)
}
