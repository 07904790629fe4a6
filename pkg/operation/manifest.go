package operation

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	sigsjson "sigs.k8s.io/json"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/misfit"
)

// Made is what an attempt runs as, ready to be created.
type Made struct {
	// Object is a *corev1.Pod, a *batchv1.Job or an *unstructured.Unstructured.
	Object Object
	// Pods are one of each kind of pod it makes, and how many: what it asks for. Those of an object of
	// another kind are not known.
	Pods []Share
}

// Object is what the API server takes.
type Object interface {
	metav1.Object
	runtime.Object
}

// Share is a number of like pods.
type Share struct {
	Spec  *corev1.PodSpec
	Count int64
}

// Mark is what is written on an attempt's object and its pods.
type Mark struct {
	Operation *v1alpha1.Operation
	Attempt   int32
	// Namespace is where it runs.
	Namespace                    string
	Queue, Project, Organization string
	Priority                     *int32
	Cost                         string
	Queued                       time.Time
	// StartTimeout is how long what can't start is given, in another cluster; 0: as long as anywhere.
	StartTimeout time.Duration

	environment environment
}

// RunName is the name of what an attempt runs as. No other operation's attempt has it, in whatever
// namespace it runs.
func RunName(op *v1alpha1.Operation, attempt int32) string {
	sum := sha256.Sum256([]byte(op.UID))
	tail := "-" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:5])) + "-" + strconv.Itoa(int(attempt))
	head := op.Name
	if most := 63 - len(tail); len(head) > most {
		head = strings.TrimRight(head[:most], "-.")
	}
	return head + tail
}

// Build makes the object from a rendered template, or says what is wrong with it.
func (m Mark) Build(kind string, rendered any) (Made, error) {
	tree, ok := rendered.(map[string]any)
	if !ok {
		return Made{}, fmt.Errorf("the template's %s is no object", kind)
	}
	var err error
	if m.environment, err = environmentOf(m.Operation.Spec.Environment); err != nil {
		return Made{}, fmt.Errorf("spec.environment: %w", err)
	}
	switch kind {
	case "pod":
		return m.pod(tree)
	case "job":
		return m.job(tree)
	}
	return m.object(tree)
}

func (m Mark) pod(tree map[string]any) (Made, error) {
	asText(tree)
	m.environment.addTo(tree)
	pod := &corev1.Pod{}
	if err := strict(tree, pod, "v1", "Pod"); err != nil {
		return Made{}, err
	}
	if err := ends(&pod.Spec); err != nil {
		return Made{}, err
	}
	m.stamp(pod)
	m.stampPod(&pod.ObjectMeta, &pod.Spec)
	return Made{Object: pod, Pods: []Share{{&pod.Spec, 1}}}, nil
}

func (m Mark) job(tree map[string]any) (Made, error) {
	asText(tree)
	if template, ok, _ := unstructured.NestedFieldNoCopy(tree, "spec", "template"); ok {
		if template, ok := template.(map[string]any); ok {
			m.environment.addTo(template)
		}
	}
	job := &batchv1.Job{}
	if err := strict(tree, job, "batch/v1", "Job"); err != nil {
		return Made{}, err
	}
	if err := ends(&job.Spec.Template.Spec); err != nil {
		return Made{}, err
	}
	if job.Spec.BackoffLimit == nil {
		job.Spec.BackoffLimit = ptr.To[int32](0) // retries are the operation's
	}
	m.stamp(job)
	m.stampPod(&job.Spec.Template.ObjectMeta, &job.Spec.Template.Spec)
	return Made{Object: job, Pods: []Share{{&job.Spec.Template.Spec, int64(ptr.Deref(job.Spec.Parallelism, 1))}}}, nil
}

func (m Mark) object(tree map[string]any) (Made, error) {
	object := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(tree)}
	if err := unnamed(object); err != nil {
		return Made{}, err
	}
	m.stamp(object)
	m.stampTemplates(object.Object)
	return Made{Object: object}, nil
}

// asText writes what is no text as JSON where pods take nothing else: "{{ params.rate }}" alone is a number, and meant as
// an argument.
func asText(tree any) {
	switch node := tree.(type) {
	case []any:
		for _, item := range node {
			asText(item)
		}
	case map[string]any:
		for field, value := range node {
			switch field {
			case "command", "args":
				list, _ := value.([]any)
				for i := range list {
					list[i] = text(list[i])
				}
			case "labels", "annotations", "nodeSelector":
				values, _ := value.(map[string]any)
				for key := range values {
					values[key] = text(values[key])
				}
			case "env":
				variables, _ := value.([]any)
				for _, v := range variables {
					if variable, ok := v.(map[string]any); ok && variable["value"] != nil {
						variable["value"] = text(variable["value"])
					}
				}
			}
			asText(value)
		}
	}
}

func text(value any) any {
	switch value.(type) {
	case int64, float64, bool, []any, map[string]any:
		var raw bytes.Buffer
		encoder := json.NewEncoder(&raw)
		encoder.SetEscapeHTML(false)
		if encoder.Encode(value) == nil {
			return strings.TrimSuffix(raw.String(), "\n")
		}
	}
	return value
}

// strict decodes a tree and refuses fields that the type does not have.
func strict(tree map[string]any, into Object, apiVersion, kind string) error {
	for field, want := range map[string]string{"apiVersion": apiVersion, "kind": kind} {
		if got, ok := tree[field]; ok && got != want {
			return fmt.Errorf("%s is %v, and the template is of a %s (%s): leave it out", field, got, kind, apiVersion)
		}
	}
	data, err := json.Marshal(tree)
	if err != nil {
		return err
	}
	wrong, err := sigsjson.UnmarshalStrict(data, into)
	if err != nil {
		return fmt.Errorf("it is no %s: %w", kind, misfit.Explain(data, into, err))
	}
	if len(wrong) > 0 {
		return fmt.Errorf("it is no %s: %w", kind, wrong[0])
	}
	return unnamed(into)
}

// unnamed refuses what is not the template's to say.
func unnamed(o metav1.Object) error {
	for field, value := range map[string]string{"name": o.GetName() + o.GetGenerateName(), "namespace": o.GetNamespace()} {
		if value != "" {
			return fmt.Errorf("metadata.%s is %q: an attempt gets its name and namespace from its operation, leave it out", field, value)
		}
	}
	if len(o.GetOwnerReferences())+len(o.GetFinalizers()) > 0 {
		return fmt.Errorf("metadata has ownerReferences or finalizers, which are the operation's: leave them out")
	}
	return nil
}

// ends refuses pods that never end.
func ends(spec *corev1.PodSpec) error {
	switch spec.RestartPolicy {
	case "":
		spec.RestartPolicy = corev1.RestartPolicyNever
	case corev1.RestartPolicyAlways:
		return fmt.Errorf("spec.restartPolicy is Always, and an operation ends: write Never, or OnFailure")
	}
	if s := spec.SchedulerName; s != "" && s != v1alpha1.SchedulerName {
		return fmt.Errorf("spec.schedulerName is %q, which serves no queues: leave it out", s)
	}
	if spec.NodeName != "" {
		return fmt.Errorf("spec.nodeName is %q and would go past the queue: use a nodeSelector", spec.NodeName)
	}
	if len(spec.Containers) == 0 {
		return fmt.Errorf("spec.containers is empty: name one with an image")
	}
	return nil
}

// stamp writes whose it is on an object.
func (m Mark) stamp(o metav1.Object) {
	op := m.Operation
	o.SetName(RunName(op, m.Attempt))
	o.SetNamespace(m.Namespace)
	o.SetLabels(m.labels(o.GetLabels()))
	o.SetAnnotations(m.annotations(o.GetAnnotations()))
	o.SetFinalizers([]string{v1alpha1.OperationFinalizer})
	if m.Namespace == op.Namespace {
		o.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(op, v1alpha1.GroupVersion.WithKind("Operation"))})
	}
}

func (m Mark) labels(given map[string]string) map[string]string {
	labels := map[string]string{}
	maps.Copy(labels, given)
	labels[v1alpha1.QueueLabel] = m.Queue
	labels[v1alpha1.OperationLabel] = m.Operation.Name
	labels[v1alpha1.OperationUIDLabel] = string(m.Operation.UID)
	labels[v1alpha1.AttemptLabel] = strconv.Itoa(int(m.Attempt))
	if m.Project != "" {
		labels[v1alpha1.ProjectLabel] = m.Project
	}
	for _, key := range []string{v1alpha1.WorkflowLabel, v1alpha1.WorkflowUIDLabel} {
		delete(labels, key) // a template may not say it
		if of := m.Operation.Labels[key]; of != "" {
			labels[key] = of
		}
	}
	return labels
}

func (m Mark) annotations(given map[string]string) map[string]string {
	annotations := map[string]string{}
	maps.Copy(annotations, given)
	annotations[v1alpha1.OriginAnnotation] = m.Operation.Namespace
	annotations[v1alpha1.QueuedTimeAnnotation] = m.Queued.UTC().Format(time.RFC3339Nano)
	delete(annotations, v1alpha1.AssignmentAnnotation) // a template may not say it
	if IsCopy(m.Operation) {
		annotations[v1alpha1.AssignmentAnnotation] = m.Operation.Annotations[v1alpha1.AssignmentAnnotation]
	}
	if m.Priority != nil {
		annotations[v1alpha1.PriorityAnnotation] = strconv.Itoa(int(*m.Priority))
	}
	if m.Cost != "" {
		annotations[v1alpha1.CostLabel] = m.Cost
	}
	return annotations
}

// OutputsVariable tells a container the file that its outputs go to.
const OutputsVariable = "TERMINATION_MESSAGE_PATH"

// stampPod writes it on a pod or pod template, tells its containers where outputs go, and has the last
// lines of a failed one's log kept.
func (m Mark) stampPod(meta *metav1.ObjectMeta, spec *corev1.PodSpec) {
	meta.Labels = m.labels(meta.Labels)
	meta.Annotations = m.annotations(meta.Annotations)
	spec.SchedulerName = v1alpha1.SchedulerName
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			c := &containers[i]
			if c.TerminationMessagePolicy == "" {
				c.TerminationMessagePolicy = corev1.TerminationMessageFallbackToLogsOnError
			}
			if !slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == OutputsVariable }) {
				c.Env = append(c.Env, corev1.EnvVar{Name: OutputsVariable, Value: cmp.Or(c.TerminationMessagePath, corev1.TerminationMessagePathDefault)})
			}
		}
	}
}

// stampTemplates finds the pod templates of an object of any kind: what has a spec with containers.
func (m Mark) stampTemplates(tree any) {
	switch node := tree.(type) {
	case []any:
		for _, item := range node {
			m.stampTemplates(item)
		}
	case map[string]any:
		if spec, ok := node["spec"].(map[string]any); ok {
			if _, ok := spec["containers"].([]any); ok {
				m.stampTemplate(node, spec)
			}
		}
		for _, item := range node {
			m.stampTemplates(item)
		}
	}
}

func (m Mark) stampTemplate(template, spec map[string]any) {
	asText(template)
	m.environment.addTo(template)
	spec["schedulerName"] = v1alpha1.SchedulerName
	for field, stamp := range map[string]func(map[string]string) map[string]string{"labels": m.labels, "annotations": m.annotations} {
		given, _, _ := unstructured.NestedStringMap(template, "metadata", field)
		if _, ok := template["metadata"].(map[string]any); !ok {
			template["metadata"] = map[string]any{}
		}
		stamped := map[string]any{}
		for key, value := range stamp(given) {
			stamped[key] = value
		}
		template["metadata"].(map[string]any)[field] = stamped
	}
}
