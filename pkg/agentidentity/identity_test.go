package agentidentity

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/test/testenv"
)

// An agent may do in its namespace what the protocol asks of it, and nothing there or elsewhere beside.
func TestIdentity(t *testing.T) {
	env := testenv.Start(t, testenv.WithCRDs())
	ctx := t.Context()
	scheme := runtime.NewScheme()
	require.NoError(t, clientgoscheme.AddToScheme(scheme))
	require.NoError(t, v1alpha1.AddToScheme(scheme))
	admin, err := client.New(env.Config, client.Options{Scheme: scheme})
	require.NoError(t, err)
	for _, agent := range []string{"east", "west"} {
		for _, o := range Objects(agent) {
			require.NoError(t, admin.Create(ctx, o), "%T", o)
		}
		for _, o := range []client.Object{assignment(agent), mirror(agent)} {
			require.NoError(t, admin.Create(ctx, o), "%T", o)
		}
	}
	token, expires, err := Token(ctx, env.Client, "east", 24*time.Hour)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(24*time.Hour), expires, time.Hour)

	east, err := client.New(connect(t, env.Config, token), client.Options{Scheme: scheme})
	require.NoError(t, err)
	lease := func(agent string) *coordinationv1.Lease {
		return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.AgentNamespace(agent), Name: v1alpha1.AgentLease}}
	}
	one, other := assignment("east"), assignment("west")
	for _, step := range []struct {
		does    string
		do      func() error
		allowed bool
	}{
		{"makes its lease", func() error { return east.Create(ctx, lease("east")) }, true},
		{"renews it", func() error {
			l := lease("east")
			return update(t, east, l, func() { l.Annotations = map[string]string{"a": "b"} })
		}, true},
		{"deletes it", func() error { return east.Delete(ctx, lease("east")) }, false},
		{"lists assignments", func() error {
			return east.List(ctx, &v1alpha1.AssignmentList{}, client.InNamespace(one.Namespace))
		}, true},
		{"claims one", func() error {
			return update(t, east, one, func() { controllerutil.AddFinalizer(one, v1alpha1.AgentFinalizer) })
		}, true},
		{"writes its status", func() error { one.Status.Message = "here"; return east.Status().Update(ctx, one) }, true},
		{"deletes it", func() error { return east.Delete(ctx, one) }, false},
		{"makes one", func() error { a := assignment("east"); a.Name = "b"; return east.Create(ctx, a) }, false},
		{"reads mirrors", func() error { return east.List(ctx, &v1alpha1.MirrorList{}, client.InNamespace(one.Namespace)) }, true},
		{"writes a mirror", func() error { m := mirror("east"); return update(t, east, m, func() { m.Spec.Name = "z" }) }, false},
		{"writes what it made of a mirror", func() error {
			m := mirror("east")
			require.NoError(t, east.Get(ctx, client.ObjectKeyFromObject(m), m))
			m.Status.Demand = &v1alpha1.Share{Revision: 1}
			return east.Status().Update(ctx, m)
		}, true},
		{"reads another's assignment", func() error { return east.Get(ctx, client.ObjectKeyFromObject(other), other) }, false},
		{"lists all assignments", func() error { return east.List(ctx, &v1alpha1.AssignmentList{}) }, false},
		{"makes another's lease", func() error { return east.Create(ctx, lease("west")) }, false},
		{"lists queues", func() error { return east.List(ctx, &v1alpha1.QueueList{}) }, false},
		{"lists operations", func() error { return east.List(ctx, &v1alpha1.OperationList{}, client.InNamespace("default")) }, false},
	} {
		err := step.do()
		if step.allowed {
			require.NoError(t, err, step.does)
		} else {
			require.True(t, apierrors.IsForbidden(err), "%s: %v", step.does, err)
		}
	}
}

// connect reads the token from a file beside the kubeconfig, as an agent does.
func connect(t *testing.T, hub *rest.Config, token string) *rest.Config {
	dir := t.TempDir()
	kubeconfig, err := Kubeconfig("east", Hub{Server: hub.Host, CA: hub.CAData}, "", "token")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "token"), []byte(token), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "kubeconfig"), kubeconfig, 0o600))
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(dir, "kubeconfig"))
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "token"), config.BearerTokenFile)
	return config
}

func update(t *testing.T, c client.Client, o client.Object, change func()) error {
	require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(o), o))
	change()
	return c.Update(t.Context(), o)
}

func assignment(agent string) *v1alpha1.Assignment {
	return &v1alpha1.Assignment{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.AgentNamespace(agent), Name: "a"},
		Spec: v1alpha1.AssignmentSpec{
			Origin: v1alpha1.OperationReference{Namespace: "team", Name: "train", UID: "u"}, Namespace: "team",
			Operation: v1alpha1.OperationSpec{Template: &v1alpha1.RunTemplate{Pod: &runtime.RawExtension{Raw: []byte(`{"spec":{}}`)}}},
		},
	}
}

func mirror(agent string) *v1alpha1.Mirror {
	return &v1alpha1.Mirror{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.AgentNamespace(agent), Name: "queue.gpu"},
		Spec:       v1alpha1.MirrorSpec{Name: "gpu", Queue: &v1alpha1.QueueSpec{Agent: agent}},
	}
}
