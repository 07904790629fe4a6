package plan

import (
	"maps"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/expression"
)

// ExitName is the name of the step that runs at the end.
const ExitName = "on-exit"

// exitStep is what runs at the end, as a step.
func exitStep(spec *v1alpha1.WorkflowSpec) *v1alpha1.Step {
	exit := spec.OnExit
	if exit == nil {
		return nil
	}
	return &v1alpha1.Step{Name: ExitName, Template: exit.Template, Component: exit.Component, Params: exit.Params}
}

// exitStep compiles what runs at the end.
func (c *compiler) exitStep(exit *v1alpha1.Step, seen types) step {
	const path = "spec.onExit"
	return c.step(exit, path, c.environment(path, expression.Declarations{Params: seen, Globals: withExit()}))
}

func withExit() map[string]expression.Type {
	all := maps.Clone(globals)
	maps.Copy(all, exitGlobals)
	return all
}
