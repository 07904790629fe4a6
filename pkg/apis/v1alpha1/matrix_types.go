package v1alpha1

import apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

// Matrix is a template that runs many times, each time with params of its own.
// +kubebuilder:validation:XValidation:rule="has(self.template) != has(self.component)",message="a matrix has either a template of the workflow or a component"
// +kubebuilder:validation:XValidation:rule="[has(self.mapping), has(self.grid), has(self.random), has(self.hyperband), has(self.asha), has(self.bayes), has(self.tpe), has(self.hyperopt), has(self.iterative)].filter(x, x).size() == 1",message="a matrix has exactly one of mapping, grid, random, hyperband, asha, bayes, tpe, hyperopt and iterative"
type Matrix struct {
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

	// Params that all trials get.
	// +optional
	Params Values `json:"params,omitempty"`

	// Mapping tries given sets of params.
	// +optional
	Mapping *Mapping `json:"mapping,omitempty"`

	// Grid tries every combination.
	// +optional
	Grid *Grid `json:"grid,omitempty"`

	// Random draws the params of each trial.
	// +optional
	Random *Random `json:"random,omitempty"`

	// Hyperband promotes the best of many trials to more of a resource, rung by rung.
	// +optional
	Hyperband *Hyperband `json:"hyperband,omitempty"`

	// ASHA promotes as Hyperband does, but waits for no rung.
	// +optional
	ASHA *ASHA `json:"asha,omitempty"`

	// Bayes tries where a model of what came of trials promises most.
	// +optional
	Bayes *Bayes `json:"bayes,omitempty"`

	// TPE draws values where good trials were.
	// +optional
	TPE *TPE `json:"tpe,omitempty"`

	// Hyperopt is TPE, random search or annealing.
	// +optional
	Hyperopt *Hyperopt `json:"hyperopt,omitempty"`

	// Iterative tries what an operation of yours suggests, iteration by iteration.
	// +optional
	Iterative *Iterative `json:"iterative,omitempty"`

	// Metric is the output of the trials by which they are compared. Searches that learn have it in their own fields.
	// +optional
	Metric *Metric `json:"metric,omitempty"`

	// Concurrency is how many of its operations may be in their queues or running at a time, at any depth.
	// Unset or -1 is unlimited. Limits of what uses it hold as well.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	Concurrency *int32 `json:"concurrency,omitempty"`

	// EarlyStopping ends it before all trials have run.
	// +optional
	EarlyStopping *EarlyStopping `json:"earlyStopping,omitempty"`

	Preferences `json:",inline"`
}

// Mapping is params of trials, one by one.
type Mapping struct {
	// Values are a list of objects, each the params of a trial, or an expression that gives one.
	Values apiextensionsv1.JSON `json:"values"`
}

// Grid is every combination of values. Params go by name; the last one changes from trial to trial.
type Grid struct {
	// Params by name: choice, range, linspace, logspace or geomspace.
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=50
	Params map[string]Distribution `json:"params"`

	// NumRuns tries the first so many only. Default: all.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	NumRuns *int64 `json:"numRuns,omitempty"`
}

// Random is trials with values drawn at random.
type Random struct {
	// Params by name, of any distribution.
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=50
	Params map[string]Distribution `json:"params"`

	// NumRuns is how many trials there are; fewer if there are no more different ones.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	NumRuns int64 `json:"numRuns"`

	// Seed that the values are drawn from. Default: another for each workflow.
	// +optional
	Seed *int64 `json:"seed,omitempty"`
}

// Halving is what searches have in common that promote the best of many trials.
type Halving struct {
	// Params by name, of any distribution.
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=50
	Params map[string]Distribution `json:"params"`

	// MaxIterations is how much of the resource a trial gets at most.
	// +kubebuilder:validation:Minimum=1
	MaxIterations int64 `json:"maxIterations"`

	// Eta: one of so many is promoted, to so many times the resource. Default: 3.
	// +optional
	// +kubebuilder:validation:Minimum=2
	Eta *int64 `json:"eta,omitempty"`

	// Resource that trials get more of.
	Resource Resource `json:"resource"`

	// Metric that decides who is promoted.
	Metric Metric `json:"metric"`

	// Resume: a promoted trial goes on from what the trial before left: params.trial.previous is its name and outputs.
	// Otherwise it starts again.
	// +optional
	Resume bool `json:"resume,omitempty"`

	// Seed of all that is random. Default: another for each workflow.
	// +optional
	Seed *int64 `json:"seed,omitempty"`
}

// Hyperband tries many configurations with little of a resource and promotes the best of them to more of it
// (Li et al., 2018).
type Hyperband struct {
	Halving `json:",inline"`
}

// ASHA is asynchronous successive halving (Li et al., 2020): whenever there is room it promotes a trial that is
// among the best of its rung so far, or else tries a new configuration.
type ASHA struct {
	Halving `json:",inline"`

	// NumRuns is how many configurations are tried. Promoted trials come on top.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	NumRuns int64 `json:"numRuns"`

	// MinIterations is how much of the resource a trial gets at least. Default: 1.
	// +optional
	// +kubebuilder:validation:Minimum=1
	MinIterations *int64 `json:"minIterations,omitempty"`
}

// Resource is what trials get more of as they are promoted, such as epochs.
type Resource struct {
	// Name of the param that says how much.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// Type of the param: int (default) or float.
	// +optional
	// +kubebuilder:validation:Enum=int;float
	Type string `json:"type,omitempty"`
}

// Bayes learns a Gaussian process from the trials and tries next where it promises most.
type Bayes struct {
	// Params by name, of any distribution.
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=50
	Params map[string]Distribution `json:"params"`

	// NumInitialRuns is how many trials are drawn at random first. Default: two for each parameter, and two.
	// +optional
	// +kubebuilder:validation:Minimum=1
	NumInitialRuns *int64 `json:"numInitialRuns,omitempty"`

	// MaxIterations is how many trials follow these; fewer if there are no more different ones.
	// +kubebuilder:validation:Minimum=0
	MaxIterations int64 `json:"maxIterations"`

	// Metric that says which trials are good.
	Metric Metric `json:"metric"`

	// UtilityFunction says what is promising. Default: expected improvement.
	// +optional
	UtilityFunction *UtilityFunction `json:"utilityFunction,omitempty"`

	// Seed of all that is random. Default: another for each workflow.
	// +optional
	Seed *int64 `json:"seed,omitempty"`
}

// UtilityFunction says how promising a point is.
type UtilityFunction struct {
	// AcquisitionFunction: ei (default), ucb or poi.
	// +optional
	// +kubebuilder:validation:Enum=ei;ucb;poi
	AcquisitionFunction string `json:"acquisitionFunction,omitempty"`

	// Kappa is how many deviations ucb adds, which while other trials are in flight takes the place of ei and poi
	// without eps. Default: 1.5, and 1 in their place.
	// +optional
	Kappa *float64 `json:"kappa,omitempty"`

	// Eps is how much better than the best a trial must be to count as an improvement for ei and poi, in
	// standard deviations of what trials had. Default: 0 for ei; for poi three times the expected improvement
	// where most is expected, so that it gets smaller as the search goes on.
	// +optional
	Eps *float64 `json:"eps,omitempty"`

	// GaussianProcess that is learned.
	// +optional
	GaussianProcess *GaussianProcess `json:"gaussianProcess,omitempty"`
}

// GaussianProcess is what is assumed of how the metric depends on the params.
type GaussianProcess struct {
	// Kernel: matern (default) or rbf.
	// +optional
	// +kubebuilder:validation:Enum=matern;rbf
	Kernel string `json:"kernel,omitempty"`

	// LengthScale over which the metric changes, as a share of each param's range. Default: fitted, for each alone.
	// +optional
	LengthScale *float64 `json:"lengthScale,omitempty"`

	// Nu is how smooth matern is: 0.5, 1.5 or 2.5 (default).
	// +optional
	Nu *float64 `json:"nu,omitempty"`
}

// TPE draws the values of trials where good ones were (Bergstra et al., 2011).
type TPE struct {
	// Params by name, of any distribution.
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=50
	Params map[string]Distribution `json:"params"`

	// NumRuns is how many trials there are; fewer if there are no more different ones.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	NumRuns int64 `json:"numRuns"`

	// Metric that says which trials are good.
	Metric Metric `json:"metric"`

	// Seed of all that is random. Default: another for each workflow.
	// +optional
	Seed *int64 `json:"seed,omitempty"`
}

// Hyperopt is another spelling of TPE, of random search, or of annealing.
type Hyperopt struct {
	// Algorithm: tpe (default), rand or anneal.
	// +optional
	// +kubebuilder:validation:Enum=tpe;rand;anneal
	Algorithm string `json:"algorithm,omitempty"`

	// Params by name, of any distribution.
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=50
	Params map[string]Distribution `json:"params"`

	// NumRuns is how many trials an iteration has.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	NumRuns int64 `json:"numRuns"`

	// MaxIterations is how many iterations there are. They do not wait for each other. Default: 1.
	// +optional
	// +kubebuilder:validation:Minimum=1
	MaxIterations *int64 `json:"maxIterations,omitempty"`

	// Metric that says which trials are good. Rand needs none.
	// +optional
	Metric *Metric `json:"metric,omitempty"`

	// Seed of all that is random. Default: another for each workflow.
	// +optional
	Seed *int64 `json:"seed,omitempty"`
}

// Distribution is the values that a param can have.
type Distribution struct {
	// Kind is choice, pchoice, range, linspace, logspace, geomspace, uniform, quniform, loguniform, qloguniform,
	// normal, qnormal, lognormal or qlognormal.
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`

	// Value has its numbers as a list, an object or one string "a:b:c"; of choice and pchoice the list of values.
	Value apiextensionsv1.JSON `json:"value"`
}

// Iterative asks an operation for trials. When all that it suggested have ended it is told what came of them, and
// asked again.
type Iterative struct {
	// MaxIterations is how often the operation is asked at most.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MaxIterations int64 `json:"maxIterations"`

	// Suggest is the operation that is asked.
	// +required
	Suggest *Suggest `json:"suggest,omitempty"`

	// Params by name, of any distribution. If there are any, each trial has a value of each and no others; else the
	// operation may suggest what it likes.
	// +optional
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=50
	Params map[string]Distribution `json:"params,omitempty"`

	// Metric whose values the operation is told. Default: the matrix's.
	// +optional
	Metric *Metric `json:"metric,omitempty"`

	// Seed that the operation is told. Default: another for each workflow.
	// +optional
	Seed *int64 `json:"seed,omitempty"`
}

// Suggest is an operation that suggests trials: it finds what it is asked in params.request, and gives the output
// suggestions, a list of objects, each the params of one trial. An empty list ends the search.
// +kubebuilder:validation:XValidation:rule="has(self.template) != has(self.component)",message="suggest has either a template of the workflow or a component"
type Suggest struct {
	// Template names a template of this workflow, which must be an operation.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Template string `json:"template,omitempty"`

	// Component names a component in place of a template. It has an input named request, of type map.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Component string `json:"component,omitempty"`

	// Params that it gets beside params.request.
	// +optional
	Params Values `json:"params,omitempty"`

	Preferences `json:",inline"`
}
