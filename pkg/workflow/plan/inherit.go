package plan

import (
	"cmp"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// joinTermination joins terminations field by field; those named first win.
func joinTermination(all ...*v1alpha1.Termination) *v1alpha1.Termination {
	var out v1alpha1.Termination
	for _, t := range all {
		if t == nil {
			continue
		}
		out.MaxRetries = cmp.Or(out.MaxRetries, t.MaxRetries)
		if t.Backoff != nil {
			backoff := v1alpha1.Backoff{}
			if out.Backoff != nil {
				backoff = *out.Backoff
			}
			out.Backoff = &v1alpha1.Backoff{Initial: cmp.Or(backoff.Initial, t.Backoff.Initial), Max: cmp.Or(backoff.Max, t.Backoff.Max)}
		}
		out.Timeout = cmp.Or(out.Timeout, t.Timeout)
		out.QueueTimeout = cmp.Or(out.QueueTimeout, t.QueueTimeout)
		out.StartTimeout = cmp.Or(out.StartTimeout, t.StartTimeout)
	}
	if out == (v1alpha1.Termination{}) {
		return nil
	}
	return &out
}

// joinEnvironment joins environments key by key; those named first win.
func joinEnvironment(all ...*v1alpha1.Environment) *v1alpha1.Environment {
	var out *v1alpha1.Environment
	for _, e := range slices.Backward(all) {
		switch {
		case e == nil:
		case out == nil:
			out = e.DeepCopy()
		default:
			under := out
			out = &v1alpha1.Environment{
				Labels: over(under.Labels, e.Labels), Annotations: over(under.Annotations, e.Annotations), NodeSelector: over(under.NodeSelector, e.NodeSelector),
				Tolerations:        slices.Concat(e.Tolerations, under.Tolerations),
				ServiceAccountName: cmp.Or(e.ServiceAccountName, under.ServiceAccountName),
				ImagePullSecrets:   e.ImagePullSecrets,
				Env:                variables(e.Env, under.Env),
			}
			if len(e.ImagePullSecrets) == 0 {
				out.ImagePullSecrets = under.ImagePullSecrets
			}
		}
	}
	return out
}

// over is a map with the entries of another put over it.
func over(under, top map[string]string) map[string]string {
	if len(under)+len(top) == 0 {
		return nil
	}
	out := maps.Clone(under)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, top)
	return out
}

// variables adds what is not named yet.
func variables(first, rest []corev1.EnvVar) []corev1.EnvVar {
	out := slices.Clone(first)
	for _, v := range rest {
		if !slices.ContainsFunc(out, func(o corev1.EnvVar) bool { return o.Name == v.Name }) {
			out = append(out, v)
		}
	}
	return out
}
