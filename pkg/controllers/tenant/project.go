package tenant

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// ProjectReconciler writes the status of projects.
type ProjectReconciler struct {
	client client.Client
}

// What the Ready conditions of tenants go by.
//
// +kubebuilder:rbac:groups=queueyard.io,resources=queues;projects;organizations,verbs=get;list;watch
// +kubebuilder:rbac:groups=queueyard.io,resources=projects/status;organizations/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch

// SetupProjects adds the controller of projects to a manager. What a project refers to, and which
// namespaces it shares, depends on all the other objects: each of their changes asks all projects.
func SetupProjects(mgr ctrl.Manager) error {
	r := &ProjectReconciler{client: mgr.GetClient()}
	all := enqueueAll(r.client, &v1alpha1.ProjectList{})
	changes := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.Project{}, changes).
		Watches(&v1alpha1.Project{}, all, changes).
		Watches(&v1alpha1.Queue{}, all, changes).
		Watches(&v1alpha1.Organization{}, all, changes).
		WatchesMetadata(&corev1.Namespace{}, all, builder.WithPredicates(predicate.LabelChangedPredicate{})).
		Complete(r)
}

// Reconcile implements reconcile.Reconciler.
func (r *ProjectReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	p := &v1alpha1.Project{}
	if err := r.client.Get(ctx, req.NamespacedName, p); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	seen, err := r.look(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	before := p.DeepCopy()
	if !report(&p.Status, p.Generation, inspectProject(p, seen)) {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{}, client.IgnoreNotFound(r.client.Status().Patch(ctx, p, client.MergeFrom(before)))
}

// surroundings are what a project is judged against.
type surroundings struct {
	queues        map[string]bool
	organizations map[string]bool
	projects      []v1alpha1.Project
	namespaces    []metav1.PartialObjectMetadata
}

func (r *ProjectReconciler) look(ctx context.Context) (surroundings, error) {
	var s surroundings
	var err error
	if s.queues, err = queueNames(ctx, r.client); err != nil {
		return s, err
	}
	if s.organizations, err = names(ctx, r.client, &v1alpha1.OrganizationList{}); err != nil {
		return s, err
	}
	projects := &v1alpha1.ProjectList{}
	if err := r.client.List(ctx, projects, client.UnsafeDisableDeepCopy); err != nil {
		return s, err
	}
	namespaces := &metav1.PartialObjectMetadataList{}
	namespaces.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := r.client.List(ctx, namespaces, client.UnsafeDisableDeepCopy); err != nil {
		return s, err
	}
	s.projects, s.namespaces = projects.Items, namespaces.Items
	return s, nil
}

func inspectProject(p *v1alpha1.Project, s surroundings) []finding {
	if err := tenancy.ValidateProject(p); err != nil {
		return []finding{{reason: reasonInvalidSpec, message: strings.ReplaceAll(err.Error(), "\n", "; ")}}
	}
	findings := inspectDefaultQueue(p.Spec.DefaultQueue, s.queues)
	if o := p.Spec.Organization; o != "" && !s.organizations[o] {
		findings = append(findings, finding{reason: reasonUnknownObjects, message: fmt.Sprintf(
			"spec.organization: organization %q does not exist, so its limits and defaults do not apply: create it, or choose another", o)})
	}
	return append(findings, inspectNamespaces(p, s)...)
}

// maxNamed is how many shared namespaces a message names.
const maxNamed = 5

// inspectNamespaces finds the namespaces that other projects claim too. That is allowed: pods
// there say which project they belong to.
func inspectNamespaces(p *v1alpha1.Project, s surroundings) []finding {
	var shared, others []string
	for i := range s.namespaces {
		ns := &s.namespaces[i]
		if !tenancy.ClaimsNamespace(p, ns.Name, ns.Labels) {
			continue
		}
		also := claimants(s.projects, p.Name, ns)
		if len(also) > 0 {
			shared = append(shared, ns.Name)
			others = append(others, also...)
		}
	}
	if len(shared) == 0 {
		return nil
	}
	slices.Sort(shared)
	slices.Sort(others)
	return []finding{{reason: reasonSharedSpaces, harmless: true, message: fmt.Sprintf(
		"also claimed by %s: %s; pods there must say with label %s which project they belong to",
		cut(slices.Compact(others)), cut(shared), v1alpha1.ProjectLabel)}}
}

func claimants(projects []v1alpha1.Project, except string, ns *metav1.PartialObjectMetadata) []string {
	var claiming []string
	for i := range projects {
		if o := &projects[i]; o.Name != except && tenancy.ClaimsNamespace(o, ns.Name, ns.Labels) {
			claiming = append(claiming, o.Name)
		}
	}
	return claiming
}

func cut(values []string) string {
	if more := len(values) - maxNamed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(values[:maxNamed], ", "), more)
	}
	return strings.Join(values, ", ")
}
