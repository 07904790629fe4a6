package processnode

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	podresource "k8s.io/kubernetes/pkg/api/v1/resource"
	"k8s.io/kubernetes/pkg/fieldpath"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"
)

const loopback = "127.0.0.1"

// source gives the data of ConfigMaps and Secrets; a missing object is a NotFound error.
type source interface {
	configMap(ctx context.Context, namespace, name string) (map[string]string, error)
	secret(ctx context.Context, namespace, name string) (map[string]string, error)
}

// resolveEnvironment is the environment a container's specification asks for.
func resolveEnvironment(ctx context.Context, from source, pod *corev1.Pod, c *corev1.Container) (map[string]string, error) {
	r := &environmentResolver{from: from, pod: pod, container: c, result: map[string]string{}}
	for _, e := range c.EnvFrom {
		if err := r.addAll(ctx, e); err != nil {
			return nil, err
		}
	}
	for _, e := range c.Env {
		if err := r.add(ctx, e); err != nil {
			return nil, err
		}
	}
	return r.result, nil
}

type environmentResolver struct {
	from      source
	pod       *corev1.Pod
	container *corev1.Container
	result    map[string]string
}

func (r *environmentResolver) addAll(ctx context.Context, e corev1.EnvFromSource) error {
	var data map[string]string
	var err error
	var optional *bool
	switch {
	case e.ConfigMapRef != nil:
		data, err = r.from.configMap(ctx, r.pod.Namespace, e.ConfigMapRef.Name)
		optional = e.ConfigMapRef.Optional
	case e.SecretRef != nil:
		data, err = r.from.secret(ctx, r.pod.Namespace, e.SecretRef.Name)
		optional = e.SecretRef.Optional
	}
	if apierrors.IsNotFound(err) && isTrue(optional) {
		return nil
	}
	if err != nil {
		return err
	}
	for key, value := range data {
		r.result[e.Prefix+key] = value
	}
	return nil
}

func (r *environmentResolver) add(ctx context.Context, e corev1.EnvVar) error {
	if e.ValueFrom == nil {
		r.result[e.Name] = expansion.Expand(e.Value, expansion.MappingFuncFor(r.result))
		return nil
	}
	value, found, err := r.reference(ctx, e.ValueFrom)
	if err != nil {
		return fmt.Errorf("environment variable %s: %w", e.Name, err)
	}
	if found {
		r.result[e.Name] = value
	}
	return nil
}

// reference is found unless it is optional and missing.
func (r *environmentResolver) reference(ctx context.Context, v *corev1.EnvVarSource) (value string, found bool, err error) {
	switch {
	case v.FieldRef != nil:
		value, err = r.field(v.FieldRef.FieldPath)
		return value, err == nil, err
	case v.ResourceFieldRef != nil:
		value, err = r.resource(v.ResourceFieldRef)
		return value, err == nil, err
	case v.ConfigMapKeyRef != nil:
		ref := v.ConfigMapKeyRef
		data, err := r.from.configMap(ctx, r.pod.Namespace, ref.Name)
		return pick(data, err, "ConfigMap", ref.Name, ref.Key, ref.Optional)
	case v.SecretKeyRef != nil:
		ref := v.SecretKeyRef
		data, err := r.from.secret(ctx, r.pod.Namespace, ref.Name)
		return pick(data, err, "Secret", ref.Name, ref.Key, ref.Optional)
	default:
		return "", false, &refusedError{"the process node knows only fieldRef, resourceFieldRef, configMapKeyRef and secretKeyRef"}
	}
}

func pick(data map[string]string, err error, kind, name, key string, optional *bool) (string, bool, error) {
	if apierrors.IsNotFound(err) && isTrue(optional) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	value, found := data[key]
	if !found && !isTrue(optional) {
		return "", false, fmt.Errorf("couldn't find key %s in %s %s", key, kind, name)
	}
	return value, found, nil
}

func (r *environmentResolver) field(path string) (string, error) {
	switch path {
	case "spec.nodeName":
		return r.pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return r.pod.Spec.ServiceAccountName, nil
	case "status.podIP", "status.podIPs", "status.hostIP", "status.hostIPs":
		return loopback, nil
	default:
		return fieldpath.ExtractFieldPathAsString(r.pod, path)
	}
}

func (r *environmentResolver) resource(ref *corev1.ResourceFieldSelector) (string, error) {
	if ref.ContainerName != "" && ref.ContainerName != r.container.Name {
		return podresource.ExtractResourceValueByContainerName(ref, r.pod, ref.ContainerName)
	}
	return podresource.ExtractContainerResourceValue(ref, r.container)
}

func isTrue(b *bool) bool { return b != nil && *b }

// apiSource reads from the API server, which lets a node read only what its pods refer to.
type apiSource struct{ client kubernetes.Interface }

func (s apiSource) configMap(ctx context.Context, namespace, name string) (map[string]string, error) {
	object, err := s.client.CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	data := maps.Clone(object.Data)
	if data == nil {
		data = map[string]string{}
	}
	for key, value := range object.BinaryData {
		data[key] = string(value)
	}
	return data, nil
}

func (s apiSource) secret(ctx context.Context, namespace, name string) (map[string]string, error) {
	object, err := s.client.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	data := make(map[string]string, len(object.Data))
	for key, value := range object.Data {
		data[key] = string(value)
	}
	return data, nil
}
