package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// The limit of a project holds over this cluster and an agent's together, and goes to where operations are.
func TestALimitOverClusters(t *testing.T) {
	s := begin(t, "shares")
	_, there := s.join("overseas", s.config.Host)
	project := &v1alpha1.Project{ObjectMeta: metav1.ObjectMeta{Name: "overseas"}, Spec: v1alpha1.ProjectSpec{
		Concurrency: ptr.To[int32](2), Namespaces: v1alpha1.ProjectNamespaces{Names: []string{s.namespace}},
	}}
	s.create(project,
		&v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "overseas"}, Spec: v1alpha1.QueueSpec{Agent: "overseas"}},
		&v1alpha1.Queue{ObjectMeta: metav1.ObjectMeta{Name: "ashore"}})
	for i := range 4 {
		for _, queue := range []string{"overseas", "ashore"} {
			s.create(&v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint(queue, "-", i), Namespace: s.namespace},
				Spec: v1alpha1.OperationSpec{Queue: queue, Template: shell("sleep 1")}})
		}
	}
	used := func(c client.Client) int32 {
		p := &v1alpha1.Project{}
		require.NoError(t, client.IgnoreNotFound(c.Get(s.Context(), client.ObjectKeyFromObject(project), p)))
		return p.Status.Admitted
	}
	most := int32(0)
	s.eventually("all operations succeed", func() (bool, any) {
		// A share moves in more time than passes between the two reads.
		most = max(most, used(s.objects)+used(there))
		list := &v1alpha1.OperationList{}
		err := s.objects.List(s.Context(), list, client.InNamespace(s.namespace))
		done := 0
		for i := range list.Items {
			if list.Items[i].Status.Phase == v1alpha1.StatusSucceeded {
				done++
			}
		}
		return err == nil && done == 8, fmt.Sprint(done, " done ", err)
	})
	assert.LessOrEqual(t, most, int32(2))
	s.eventually("the whole limit is divided evenly when nobody wants it", func() (bool, any) {
		require.NoError(t, s.objects.Get(s.Context(), client.ObjectKeyFromObject(project), project))
		is := &project.Status
		even := is.Local != nil && *is.Local.Concurrency == 1 && len(is.Shares) == 1 && *is.Shares[0].Concurrency == 1
		return even, fmt.Sprint(is.Local, is.Shares)
	})
}
