package processnode

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

type fakeSource map[string]map[string]string

func (f fakeSource) configMap(_ context.Context, _, name string) (map[string]string, error) {
	return f.get("configmaps", name)
}

func (f fakeSource) secret(_ context.Context, _, name string) (map[string]string, error) {
	return f.get("secrets", name)
}

func (f fakeSource) get(kind, name string) (map[string]string, error) {
	if data, ok := f[kind+"/"+name]; ok {
		return data, nil
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{Resource: kind}, name)
}

func TestResolveEnvironment(t *testing.T) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "ns", UID: "u1", Labels: map[string]string{"app": "train"}},
		Spec:       corev1.PodSpec{NodeName: Name, ServiceAccountName: "robot"},
	}
	from := fakeSource{
		"configmaps/settings": {"rate": "0.1", "depth": "3"},
		"secrets/login":       {"user": "ada"},
	}
	yes := true
	name := func(n string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: n} }
	field := func(path string) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path}}
	}
	configMapKey := func(object, key string, optional *bool) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: name(object), Key: key, Optional: optional}}
	}
	tests := map[string]struct {
		env     []corev1.EnvVar
		envFrom []corev1.EnvFromSource
		want    map[string]string
		err     string
	}{
		"plain values refer to earlier ones": {
			env:  []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "$(A)2$$(A)$(C)"}, {Name: "C", Value: "3"}},
			want: map[string]string{"A": "1", "B": "12$(A)$(C)", "C": "3"},
		},
		"fields": {
			env: []corev1.EnvVar{
				{Name: "NAME", ValueFrom: field("metadata.name")}, {Name: "LABEL", ValueFrom: field("metadata.labels['app']")},
				{Name: "NODE", ValueFrom: field("spec.nodeName")}, {Name: "ACCOUNT", ValueFrom: field("spec.serviceAccountName")},
				{Name: "IP", ValueFrom: field("status.podIP")}, {Name: "UID", ValueFrom: field("metadata.uid")},
			},
			want: map[string]string{"NAME": "p", "LABEL": "train", "NODE": Name, "ACCOUNT": "robot", "IP": "127.0.0.1", "UID": "u1"},
		},
		"resources": {
			env: []corev1.EnvVar{{Name: "CPU", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{
				Resource: "limits.cpu", Divisor: resource.MustParse("1m")}}}},
			want: map[string]string{"CPU": "1500"},
		},
		"keys of ConfigMaps and Secrets": {
			env: []corev1.EnvVar{
				{Name: "RATE", ValueFrom: configMapKey("settings", "rate", nil)},
				{Name: "USER", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: name("login"), Key: "user"}}},
			},
			want: map[string]string{"RATE": "0.1", "USER": "ada"},
		},
		"whole objects, with a prefix, and overridden": {
			envFrom: []corev1.EnvFromSource{
				{Prefix: "S_", ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: name("settings")}},
				{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: name("login")}},
			},
			env:  []corev1.EnvVar{{Name: "S_rate", Value: "9"}},
			want: map[string]string{"S_rate": "9", "S_depth": "3", "user": "ada"},
		},
		"missing but optional": {
			envFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: name("nosuch"), Optional: &yes}}},
			env: []corev1.EnvVar{
				{Name: "A", ValueFrom: configMapKey("nosuch", "x", &yes)}, {Name: "B", ValueFrom: configMapKey("settings", "nosuch", &yes)},
			},
			want: map[string]string{},
		},
		"missing object": {
			env: []corev1.EnvVar{{Name: "A", ValueFrom: configMapKey("nosuch", "x", nil)}},
			err: `environment variable A: configmaps "nosuch" not found`,
		},
		"missing key": {
			env: []corev1.EnvVar{{Name: "A", ValueFrom: configMapKey("settings", "nosuch", nil)}},
			err: "environment variable A: couldn't find key nosuch in ConfigMap settings",
		},
		"missing whole object": {
			envFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: name("nosuch")}}},
			err:     `secrets "nosuch" not found`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			container := &corev1.Container{Name: "main", Env: tt.env, EnvFrom: tt.envFrom}
			container.Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1500m")}
			got, err := resolveEnvironment(t.Context(), from, pod, container)
			if tt.err != "" {
				require.EqualError(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}
