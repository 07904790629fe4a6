package cli

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	queueyard "github.com/queueyard/queueyard/pkg/client"
	"github.com/queueyard/queueyard/pkg/suggest"
)

var scheme = queueyard.Scheme

// fieldManager is who wrote what qy writes.
const fieldManager = "qy"

// cluster is where a command works.
type cluster struct {
	client.WithWatch
	queueyard *queueyard.Client
	config    *rest.Config
	kube      kubernetes.Interface
	// namespace that was asked for, or the context's.
	namespace string
}

func (s *Shell) cluster() (*cluster, error) {
	config, err := s.flags.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	namespace, _, err := s.flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return nil, err
	}
	qy, err := queueyard.New(config)
	if err != nil {
		return nil, err
	}
	qy.FieldManager = fieldManager
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &cluster{WithWatch: qy.Objects, queueyard: qy, config: config, kube: kube, namespace: namespace}, nil
}

// kind is a kind of objects as people name it.
type kind struct {
	singular, plural string
	list             func() client.ObjectList
	namespaced       bool
}

var (
	agentKind        = kind{"agent", "agents", func() client.ObjectList { return &v1alpha1.AgentList{} }, false}
	queueKind        = kind{"queue", "queues", func() client.ObjectList { return &v1alpha1.QueueList{} }, false}
	projectKind      = kind{"project", "projects", func() client.ObjectList { return &v1alpha1.ProjectList{} }, false}
	organizationKind = kind{"organization", "orgs", func() client.ObjectList { return &v1alpha1.OrganizationList{} }, false}
)

// find reads an object of the cluster or of its namespace; of a name that does not exist it says which may be meant.
func (c *cluster) find(ctx context.Context, k kind, name string, into client.Object) error {
	key := client.ObjectKey{Name: name}
	if k.namespaced {
		key.Namespace = c.namespace
	}
	err := c.Get(ctx, key, into)
	if !apierrors.IsNotFound(err) {
		return err
	}
	return c.unknown(ctx, name, k)
}

// either is a choice: "operation, workflow or job".
func either(of []string) string {
	if last := len(of) - 1; last > 0 {
		return strings.Join(of[:last], ", ") + " or " + of[last]
	}
	return strings.Join(of, "")
}

// unknown is the error that nothing of the kinds has a name.
func (c *cluster) unknown(ctx context.Context, name string, kinds ...kind) error {
	var names, what []string
	place := ""
	for _, k := range kinds {
		what = append(what, k.singular)
		if k.namespaced {
			place = fmt.Sprintf(" in namespace %s", c.namespace)
		}
		names = append(names, c.names(ctx, k)...)
	}
	remedy := fmt.Sprintf("qy %s lists those that exist", kinds[0].plural)
	if place != "" {
		remedy = fmt.Sprintf("qy list -n %s lists what is there", c.namespace)
	}
	return fmt.Errorf("there is no %s %q%s%s: %s", either(what), name, place, suggest.DidYouMean(name, names), remedy)
}

// names of a kind; none where they can't be listed.
func (c *cluster) names(ctx context.Context, k kind) []string {
	list := k.list()
	var in []client.ListOption
	if k.namespaced {
		in = append(in, client.InNamespace(c.namespace))
	}
	if c.List(ctx, list, in...) != nil {
		return nil
	}
	var names []string
	_ = meta.EachListItem(list, func(o runtime.Object) error { // it is a list, and the function does not fail
		names = append(names, o.(metav1.Object).GetName())
		return nil
	})
	return names
}

// edit patches what a change makes of an object, and only that.
func edit[T client.Object](ctx context.Context, c *cluster, o T, change func()) error {
	before := o.DeepCopyObject().(client.Object)
	change()
	return c.Patch(ctx, o, client.MergeFrom(before), client.FieldOwner(fieldManager))
}
