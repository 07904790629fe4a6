package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// WorkflowSpec is what is to run, in what order and how much of it at a time.
type WorkflowSpec struct {
	// Project is whose limits its operations count against. Unset: the only project that claims the namespace.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Project string `json:"project,omitempty"`

	// Queue of its operations that name none: "NAME" or "AGENT/NAME". Unset: the default of the project, the
	// organization or the scheduler.
	// +optional
	// +kubebuilder:validation:MaxLength=127
	Queue string `json:"queue,omitempty"`

	// Priority of its operations that set none. Larger goes first.
	// +optional
	Priority *int32 `json:"priority,omitempty"`

	// Inputs are the params it takes. Without any, it takes the params it is given.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Inputs []Input `json:"inputs,omitempty"`

	// Params are the values that expressions see as params.NAME, in every template.
	// +optional
	Params Values `json:"params,omitempty"`

	// Entrypoint names the template that is run.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Entrypoint string `json:"entrypoint"`

	// Templates are the parts, which use each other by name.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=200
	Templates []WorkflowTemplate `json:"templates"`

	// Concurrency is how many operations may be in their queues or running at a time, at any depth. Unset or
	// -1 is unlimited; 0 lets none go. It may be changed at any time; lowering it stops nothing.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	Concurrency *int32 `json:"concurrency,omitempty"`

	// EarlyStopping ends the workflow before all has run.
	// +optional
	EarlyStopping *EarlyStopping `json:"earlyStopping,omitempty"`

	// OnExit runs when all else is over, whatever came of it, also when the workflow was stopped. Its expressions see
	// globals.status and globals.message. What comes of it does not change what came of the workflow.
	// +optional
	OnExit *ExitStep `json:"onExit,omitempty"`

	// Termination of its operations, field by field where they set none.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!has(self.ttl)",message="operations are kept as long as their workflow: write spec.ttl"
	Termination *Termination `json:"termination,omitempty"`

	// Environment of the pods of its operations.
	// +optional
	Environment *Environment `json:"environment,omitempty"`

	// Timeout is how long the workflow may take from when its first operation ran. Default: none.
	// +optional
	Timeout *metav1.Duration `json:"timeout,omitempty"`

	// TTL is how long the workflow is kept after its end, with all it made. Default: for ever.
	// +optional
	TTL *metav1.Duration `json:"ttl,omitempty"`

	// Approved: false holds the workflow before anything runs until somebody sets it to true.
	// +optional
	Approved *bool `json:"approved,omitempty"`

	// DesiredState is Run (default) or Stopped. Set back to Run, a stopped workflow goes on with what it has not done.
	// +optional
	// +kubebuilder:default=Run
	DesiredState DesiredState `json:"desiredState,omitempty"`

	// Restarts is raised to run a workflow again after its end: what failed or was stopped and what depended on
	// it; all of it if it succeeded.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Restarts int32 `json:"restarts,omitempty"`
}

// WorkflowTemplate is a part of a workflow: an operation, a dag of parts, or a matrix over one.
// +kubebuilder:validation:XValidation:rule="[has(self.operation), has(self.dag), has(self.matrix)].filter(x, x).size() == 1",message="a template has exactly one of operation, dag and matrix"
type WorkflowTemplate struct {
	// Name by which others use it.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// Inputs are params it takes, with their defaults. It also sees those of what uses it.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Inputs []Input `json:"inputs,omitempty"`

	// Operation is one run.
	// +optional
	Operation *OperationTemplate `json:"operation,omitempty"`

	// DAG runs steps in the order of their dependencies.
	// +optional
	DAG *DAG `json:"dag,omitempty"`

	// Matrix runs a template many times with different params.
	// +optional
	Matrix *Matrix `json:"matrix,omitempty"`
}

// OperationTemplate is what an operation of a workflow is made of.
// +kubebuilder:validation:XValidation:rule="has(self.component) != has(self.template)",message="an operation has either a component or a template"
type OperationTemplate struct {
	// Component names the recipe, in the same namespace.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Component string `json:"component,omitempty"`

	// Template is what it runs, where there is no component.
	// +optional
	Template *RunTemplate `json:"template,omitempty"`

	Preferences `json:",inline"`
}

// Preferences are what a step or template wants instead of what it would inherit.
type Preferences struct {
	// Queue is "NAME" or "AGENT/NAME".
	// +optional
	// +kubebuilder:validation:MaxLength=127
	Queue string `json:"queue,omitempty"`

	// Priority inside the queue: larger goes first.
	// +optional
	Priority *int32 `json:"priority,omitempty"`

	// Cost per hour, such as "2.50", in place of the agent's prices.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Cost string `json:"cost,omitempty"`

	// Termination, field by field.
	// +optional
	// +kubebuilder:validation:XValidation:rule="!has(self.ttl)",message="operations are kept as long as their workflow: write spec.ttl of the workflow"
	Termination *Termination `json:"termination,omitempty"`

	// Environment of the pods.
	// +optional
	Environment *Environment `json:"environment,omitempty"`
}

// DAG is steps and what they depend on.
type DAG struct {
	// Operations are the steps. Those that are ready start in this order.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=1000
	Operations []Step `json:"operations"`

	// Outputs of the dag, once it is over: expressions over ops and params.
	// +optional
	Outputs Values `json:"outputs,omitempty"`

	// Concurrency is how many of its operations may be in their queues or running at a time, at any depth.
	// Unset or -1 is unlimited. Limits of what uses it hold as well.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	Concurrency *int32 `json:"concurrency,omitempty"`
}

// Trigger says what a step needs of those it depends on.
// +kubebuilder:validation:Enum=all_succeeded;all_failed;all_done;one_succeeded;one_failed;one_done
type Trigger string

// The triggers. Skipped counts as succeeded, upstream_failed as failed. An empty one is AllSucceeded.
const (
	AllSucceeded Trigger = "all_succeeded"
	AllFailed    Trigger = "all_failed"
	AllDone      Trigger = "all_done"
	OneSucceeded Trigger = "one_succeeded"
	OneFailed    Trigger = "one_failed"
	OneDone      Trigger = "one_done"
)

// Step is one use of a template in a dag.
// +kubebuilder:validation:XValidation:rule="has(self.template) != has(self.component)",message="a step has either a template of the workflow or a component"
type Step struct {
	// Name by which other steps depend on it and expressions see it: ops.NAME.
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// Template names a template of this workflow.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Template string `json:"template,omitempty"`

	// Component names a component in place of a template.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Component string `json:"component,omitempty"`

	// Params that it gets beside those of the dag. Their strings may hold expressions over params, globals and
	// ops; what is used of ops.NAME makes the step depend on NAME.
	// +optional
	Params Values `json:"params,omitempty"`

	// DependsOn names steps that are over before this one starts.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MaxLength=63
	DependsOn []string `json:"dependsOn,omitempty"`

	// Trigger says what it needs of them: all_succeeded (default), all_failed, all_done, one_succeeded,
	// one_failed or one_done. If it can't be met any more the step is upstream_failed.
	// +optional
	Trigger Trigger `json:"trigger,omitempty"`

	// When is a CEL condition over params, globals and ops. If it is false the step is skipped.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	When string `json:"when,omitempty"`

	// SkipOnUpstreamSkip: it is skipped when one that it depends on is. Default: a skipped one counts as succeeded.
	// +optional
	SkipOnUpstreamSkip bool `json:"skipOnUpstreamSkip,omitempty"`

	// Approved: false holds the step before it queues until somebody sets spec.approved of its operation to true.
	// +optional
	Approved *bool `json:"approved,omitempty"`

	Preferences `json:",inline"`
}

// ExitStep is a use of a template at the end.
// +kubebuilder:validation:XValidation:rule="has(self.template) != has(self.component)",message="onExit has either a template of the workflow or a component"
type ExitStep struct {
	// Template names a template of this workflow, which must be an operation.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Template string `json:"template,omitempty"`

	// Component names a component in place of a template.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Component string `json:"component,omitempty"`

	// Params that it gets beside those of the workflow.
	// +optional
	Params Values `json:"params,omitempty"`
}

// Optimization says which values of a metric are better.
// +kubebuilder:validation:Enum=minimize;maximize
type Optimization string

const (
	// Minimize: less is better.
	Minimize Optimization = "minimize"
	// Maximize: more is better.
	Maximize Optimization = "maximize"
)

// Metric is a number among the outputs of operations.
type Metric struct {
	// Name of the output.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// Optimization is minimize or maximize.
	Optimization Optimization `json:"optimization"`
}

// WorkflowStatus is where a workflow stands. Its size does not grow with its children.
type WorkflowStatus struct {
	// ObservedGeneration is the generation of the spec that was last acted upon.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Phase is the last status of the timeline.
	// +optional
	Phase Status `json:"phase,omitempty"`

	// Timeline is every status it had, oldest first. Of a long one the first and the last are kept.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Timeline []TimelineEntry `json:"timeline,omitempty"`

	// Dropped is how many entries of the timeline were left out of its middle.
	// +optional
	Dropped int32 `json:"dropped,omitempty"`

	// Attempt is how often it has begun, from 1. Children that run again carry it in their names.
	// +optional
	Attempt int32 `json:"attempt,omitempty"`

	// Restarts is the value of spec.restarts that this run obeys.
	// +optional
	Restarts int32 `json:"restarts,omitempty"`

	// Progress is how many children are done, of how many: "12/40".
	// +optional
	Progress string `json:"progress,omitempty"`

	// Children counts its direct children by where they stand.
	// +optional
	Children ChildCounts `json:"children,omitempty"`

	// Search is how far an iterative search has come, and what it waits for.
	// +optional
	Search string `json:"search,omitempty"`

	// Problems are the first children that did not succeed.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	Problems []Problem `json:"problems,omitempty"`

	// Best is the child with the best metric so far.
	// +optional
	Best *BestResult `json:"best,omitempty"`

	// Outcome is what it has come to while it is still being ended.
	// +optional
	Outcome *Outcome `json:"outcome,omitempty"`

	// Outputs are those of its dag; of a matrix with a metric, its best.
	// +optional
	Outputs Values `json:"outputs,omitempty"`

	// StartTime is when its first operation of this attempt began.
	// +optional
	StartTime *metav1.MicroTime `json:"startTime,omitempty"`

	// FinishTime is when it ended.
	// +optional
	FinishTime *metav1.MicroTime `json:"finishTime,omitempty"`

	// Conditions: Finished (True at the end, whatever it is), Ready (True when it succeeded), Stalled
	// (True when it failed).
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ChildCounts is how many children there are of each kind. A nested workflow counts as one.
type ChildCounts struct {
	// Total that there will be; -1 where that is not known.
	Total int64 `json:"total"`
	// Waiting ones exist and have not begun.
	Waiting        int64 `json:"waiting"`
	Running        int64 `json:"running"`
	Succeeded      int64 `json:"succeeded"`
	Failed         int64 `json:"failed"`
	Stopped        int64 `json:"stopped"`
	Skipped        int64 `json:"skipped"`
	UpstreamFailed int64 `json:"upstreamFailed"`
}

// Problem is a child that did not succeed, and why.
type Problem struct {
	// Name of the operation or workflow.
	Name   string `json:"name"`
	Status Status `json:"status"`
	// +optional
	Reason string `json:"reason,omitempty"`
	// +optional
	Message string `json:"message,omitempty"`
}

// BestResult is a trial and what it reached.
type BestResult struct {
	// Name of the operation or workflow.
	Name string `json:"name"`
	// Index of the trial.
	Index int64 `json:"index"`
	// Value of the metric, as JSON writes it.
	Value string `json:"value"`
	// Params of the trial.
	// +optional
	Params Values `json:"params,omitempty"`
}

// Outcome is what a workflow has come to.
type Outcome struct {
	// Status is succeeded, failed or stopped.
	Status Status `json:"status"`
	// Reason is why, in one word of CamelCase.
	Reason string `json:"reason"`
	// Message is why, in a sentence.
	// +optional
	Message string `json:"message,omitempty"`
	// Stopping says that what still runs is to be stopped.
	// +optional
	Stopping bool `json:"stopping,omitempty"`
}

// Workflow runs operations in the order of their dependencies, or one operation many times.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=wf;wfs,categories=queueyard
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Progress",type=string,JSONPath=`.status.progress`
// +kubebuilder:printcolumn:name="Running",type=integer,JSONPath=`.status.children.running`
// +kubebuilder:printcolumn:name="Failed",type=integer,JSONPath=`.status.children.failed`
// +kubebuilder:printcolumn:name="Best",type=string,JSONPath=`.status.best.value`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Finished")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",message="a workflow's name is a DNS label: at most 63 characters, no dots, so that it can be a label's value"
type Workflow struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec WorkflowSpec `json:"spec"`
	// +optional
	Status WorkflowStatus `json:"status,omitempty"`
}

// WorkflowList is a list of Workflows.
//
// +kubebuilder:object:root=true
type WorkflowList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Workflow `json:"items"`
}
