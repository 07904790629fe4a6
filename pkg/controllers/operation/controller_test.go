package operation

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func TestNewcomersWaitBehindThoseOnTheirWay(t *testing.T) {
	q := priorityqueue.New[reconcile.Request]("test")
	defer q.ShutDown()
	op := func(name string) *v1alpha1.Operation {
		return &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}}
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		ResourceVersion: "2",
		Labels:          map[string]string{v1alpha1.OperationLabel: "runs", v1alpha1.OperationUIDLabel: "uid"},
		Annotations:     map[string]string{v1alpha1.OriginAnnotation: "ns"},
	}}
	changed := op("edited")
	changed.ResourceVersion = "2"
	for _, name := range []string{"new-1", "new-2", "due"} {
		(&newcomers{}).Create(t.Context(), event.CreateEvent{Object: op(name)}, q)
	}
	(&newcomers{}).Update(t.Context(), event.UpdateEvent{ObjectOld: op("edited"), ObjectNew: changed}, q)
	handler.EnqueueRequestsFromMapFunc(operationOf).Update(t.Context(), event.UpdateEvent{ObjectOld: &corev1.Pod{}, ObjectNew: pod}, q)
	(&handler.EnqueueRequestForObject{}).Generic(t.Context(), event.GenericEvent{Object: op("due")}, q)

	var order []string
	for range 5 {
		request, _ := q.Get()
		order = append(order, request.Name)
		q.Done(request)
		require.Equal(t, types.NamespacedName{Namespace: "ns", Name: request.Name}, request.NamespacedName)
	}
	require.Equal(t, []string{"edited", "runs", "due", "new-1", "new-2"}, order)
}
