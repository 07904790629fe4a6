package install

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Queueyard applies the manifests found in files, except the custom resource definitions, which must be served
// already, and what is about its pods. Webhooks are called at webhookURL, and aggregated APIs on this machine, because a sandbox has no service
// network. Queueyard's own objects are
// made when missing and never changed: people edit them.
func Queueyard(ctx context.Context, config *rest.Config, files fs.FS, webhookURL string) error {
	objects, err := read(files, "install")
	if err != nil {
		return err
	}
	objects = slices.DeleteFunc(objects, forPods)
	slices.SortStableFunc(objects, func(a, b *unstructured.Unstructured) int {
		return cmp.Compare(rank(a), rank(b))
	})
	applier, err := newApplier(config)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if object.GroupVersionKind().Group == v1alpha1.GroupVersion.Group {
			err = applier.createMissing(ctx, object)
		} else if err = redirectWebhooks(object, webhookURL); err == nil {
			redirectService(object)
			err = applier.apply(ctx, object)
		}
		if err != nil {
			return fmt.Errorf("install Queueyard: %w", err)
		}
	}
	return nil
}

// Manifest applies the documents of one YAML text.
func Manifest(ctx context.Context, config *rest.Config, text []byte) error {
	objects, err := decode(text)
	if err != nil {
		return err
	}
	applier, err := newApplier(config)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := applier.apply(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// forPods tells what is about the pods of Queueyard's programs, which in a sandbox are processes.
func forPods(object *unstructured.Unstructured) bool {
	switch object.GetKind() {
	case "Deployment", "PodDisruptionBudget", "NetworkPolicy":
		return true
	}
	return false
}

// rank puts namespaces before what lives in them.
func rank(object *unstructured.Unstructured) int {
	switch {
	case object.GetKind() == "Namespace":
		return 0
	case object.GroupVersionKind().Group == v1alpha1.GroupVersion.Group:
		return 2
	default:
		return 1
	}
}

// redirectService makes a Service whose endpoints are written by a program, which can't be loopback addresses, a name
// of this machine. The program gives its port in the APIService.
func redirectService(object *unstructured.Unstructured) {
	_, selects, _ := unstructured.NestedMap(object.Object, "spec", "selector")
	if object.GetKind() == "Service" && !selects {
		object.Object["spec"] = map[string]any{"type": "ExternalName", "externalName": "localhost"}
	}
}

// redirectWebhooks replaces references to the controller's Service by its address.
func redirectWebhooks(object *unstructured.Unstructured, webhookURL string) error {
	webhooks, found, err := unstructured.NestedSlice(object.Object, "webhooks")
	if err != nil || !found {
		return named(object, err)
	}
	for _, w := range webhooks {
		webhook, ok := w.(map[string]any)
		if !ok {
			return named(object, fmt.Errorf("a webhook is a %T, not an object", w))
		}
		path, _, err := unstructured.NestedString(webhook, "clientConfig", "service", "path")
		if err != nil {
			return named(object, err)
		}
		// The controller writes its own certificate authority; applying without the field leaves it alone.
		webhook["clientConfig"] = map[string]any{"url": webhookURL + path}
	}
	return named(object, unstructured.SetNestedSlice(object.Object, webhooks, "webhooks"))
}
