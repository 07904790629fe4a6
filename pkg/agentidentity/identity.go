// Package agentidentity makes what an agent of another cluster is at the hub: a namespace, and an identity that may
// touch nothing outside of it.
package agentidentity

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Name is that of the service account in the namespace of an agent, of its role and of the binding.
const Name = "agent"

// AgentLabel on these objects names the agent.
const AgentLabel = "queueyard.io/agent"

// Objects are the namespace and the identity of an agent, in the order in which they can be made.
func Objects(agent string) []client.Object {
	namespace := v1alpha1.AgentNamespace(agent)
	labels := map[string]string{AgentLabel: agent}
	meta := metav1.ObjectMeta{Namespace: namespace, Name: Name, Labels: labels}
	rbac := rbacv1.SchemeGroupVersion.String()
	return []client.Object{
		&corev1.Namespace{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
			ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: labels},
		},
		&corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}, ObjectMeta: meta},
		&rbacv1.Role{TypeMeta: metav1.TypeMeta{APIVersion: rbac, Kind: "Role"}, ObjectMeta: meta, Rules: rules()},
		&rbacv1.RoleBinding{
			TypeMeta: metav1.TypeMeta{APIVersion: rbac, Kind: "RoleBinding"}, ObjectMeta: meta,
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: Name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: Name}},
		},
	}
}

// rules let it claim and follow what it is given. It neither makes nor deletes any of that, and it can't delete its Lease
// when the hub has fenced it.
func rules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"assignments"}, Verbs: []string{"get", "list", "watch", "patch", "update"}},
		{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"mirrors"}, Verbs: []string{"get", "list", "watch"}},
		{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"assignments/status", "mirrors/status"}, Verbs: []string{"patch", "update"}},
		// A create cannot be held to a name.
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"create"}},
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, ResourceNames: []string{v1alpha1.AgentLease}, Verbs: []string{"get", "patch", "update"}},
	}
}
