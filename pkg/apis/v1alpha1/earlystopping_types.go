package v1alpha1

// EarlyStopping says when the rest need not run.
type EarlyStopping struct {
	// Failure ends it with failure when too many children failed.
	// +optional
	Failure *FailurePolicy `json:"failure,omitempty"`

	// Metrics end it with success when a child's output is good enough. One of them is enough.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=10
	Metrics []MetricPolicy `json:"metrics,omitempty"`

	// Policies stop single trials of a matrix while they run, by the metrics that they print. One of them is enough.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=5
	Policies []StoppingPolicy `json:"policies,omitempty"`
}

// FailurePolicy is how many failures are too many.
type FailurePolicy struct {
	// Percent of all planned children that may fail.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=99
	Percent int `json:"percent"`
}

// MetricPolicy is a value of an output that is good enough.
type MetricPolicy struct {
	// Metric is the name of the output.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Metric string `json:"metric"`

	// Value that is good enough.
	Value float64 `json:"value"`

	// Optimization: maximize (value or more) or minimize (value or less).
	Optimization Optimization `json:"optimization"`
}

// PolicyKind is a rule that stops a trial while it runs.
// +kubebuilder:validation:Enum=median;truncation;diff
type PolicyKind string

// The rules that stop a trial while it runs.
const (
	// Median stops one whose best value so far is worse than the median of what ended trials had on average up to the same
	// step (Golovin et al., 2017).
	Median PolicyKind = "median"
	// Truncation stops one that is among the worst Percent of all that came as far.
	Truncation PolicyKind = "truncation"
	// Diff stops one that is more than Percent worse than the best of all that came as far.
	Diff PolicyKind = "diff"
)

// StoppingPolicy stops trials that promise little, by what they print on the way: lines such as
// 'queueyard {"step": 3, "loss": 0.41}'.
// +kubebuilder:validation:XValidation:rule="(self.kind == 'median') != has(self.percent)",message="percent belongs to truncation and diff, which need it, and not to median: write it, or leave it out"
// +kubebuilder:validation:XValidation:rule="has(self.metric) || !has(self.optimization)",message="optimization is of a metric: write metric, too, or leave both out to take those of the matrix"
type StoppingPolicy struct {
	// Kind: median (worse than the median of the averages of ended trials), truncation (among the worst percent), or diff
	// (more than percent worse than the best).
	Kind PolicyKind `json:"kind"`

	// Metric is the name of what trials print. Default: that of the matrix.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Metric string `json:"metric,omitempty"`

	// Optimization: maximize or minimize. Default: that of the matrix, if the metric is the same.
	// +optional
	Optimization Optimization `json:"optimization,omitempty"`

	// Percent of truncation and diff.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=99
	Percent int `json:"percent,omitempty"`

	// EvaluationInterval: trials are judged at steps that are multiples of it. Default: 1.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000000
	EvaluationInterval int64 `json:"evaluationInterval,omitempty"`

	// MinInterval is the first step at which trials are judged. Default: 0.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MinInterval int64 `json:"minInterval,omitempty"`

	// MinSamples is how many others must have come as far. Default: 1.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	MinSamples int `json:"minSamples,omitempty"`
}

// Reasons in the timeline of a child that a rule of its workflow has stopped.
const (
	// ReasonStoppedByPolicy: a stopping policy, which judged this trial alone.
	ReasonStoppedByPolicy = "StoppedByPolicy"
	// ReasonStoppedEarly: a metric was good enough or too many failed, so the rest need not run.
	ReasonStoppedEarly = "StoppedEarly"
)
