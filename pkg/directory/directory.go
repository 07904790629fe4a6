// Package directory answers tenancy's questions from a cache or from the API server.
package directory

import (
	"context"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// Directory answers for one request.
type Directory struct {
	ctx    context.Context
	reader client.Reader
	err    error
}

var _ tenancy.Directory = &Directory{}

// New is a directory that reads with the reader.
func New(ctx context.Context, reader client.Reader) *Directory {
	return &Directory{ctx: ctx, reader: reader}
}

// Err is the first read that failed. The answers are then worth nothing.
func (d *Directory) Err() error { return d.err }

// Queue implements tenancy.Directory.
func (d *Directory) Queue(name string) (tenancy.QueueInfo, bool) {
	q := &v1alpha1.Queue{}
	if !d.get(name, q) {
		return tenancy.QueueInfo{}, false
	}
	return tenancy.InfoOf(q), true
}

// QueueNames implements tenancy.Directory.
func (d *Directory) QueueNames() []string {
	queues := &v1alpha1.QueueList{}
	d.list(queues)
	names := make([]string, 0, len(queues.Items))
	for i := range queues.Items {
		names = append(names, queues.Items[i].Name)
	}
	return names
}

// Project implements tenancy.Directory.
func (d *Directory) Project(name string) (*v1alpha1.Project, bool) {
	p := &v1alpha1.Project{}
	return p, d.get(name, p)
}

// ProjectsOf implements tenancy.Directory.
func (d *Directory) ProjectsOf(namespace string, namespaceLabels map[string]string) []*v1alpha1.Project {
	projects := &v1alpha1.ProjectList{}
	d.list(projects)
	var claiming []*v1alpha1.Project
	for i := range projects.Items {
		if p := &projects.Items[i]; tenancy.ClaimsNamespace(p, namespace, namespaceLabels) {
			claiming = append(claiming, p)
		}
	}
	slices.SortFunc(claiming, func(a, b *v1alpha1.Project) int { return strings.Compare(a.Name, b.Name) })
	return claiming
}

// Organization implements tenancy.Directory.
func (d *Directory) Organization(name string) (*v1alpha1.Organization, bool) {
	o := &v1alpha1.Organization{}
	return o, d.get(name, o)
}

// Remote implements tenancy.Directory.
func (d *Directory) Remote(agent string) bool {
	a := &v1alpha1.Agent{}
	return d.get(agent, a) && a.Spec.Remote
}

// get reads a cluster-scoped object and tells whether it exists. No object has an empty name.
func (d *Directory) get(name string, into client.Object) bool {
	if name == "" {
		return false
	}
	err := d.reader.Get(d.ctx, client.ObjectKey{Name: name}, into)
	if err != nil && !apierrors.IsNotFound(err) && d.err == nil {
		d.err = err
	}
	return err == nil
}

func (d *Directory) list(into client.ObjectList) {
	// Nothing here changes what it reads, so the cache need not copy all of it for each request.
	if err := d.reader.List(d.ctx, into, client.UnsafeDisableDeepCopy); err != nil && d.err == nil {
		d.err = err
	}
}
