package plan

import (
	"errors"
	"fmt"

	"github.com/queueyard/queueyard/pkg/expression"
)

// maxProblems is how many problems of a workflow are worth reading at once.
const maxProblems = 10

// problems collects what is wrong with a workflow, each once.
type problems struct {
	errs []error
	seen map[string]bool
	more int
}

// add adds an error under the path of the field, or nothing.
func (p *problems) add(path string, err error) {
	if err == nil {
		return
	}
	if path != "" {
		err = fmt.Errorf("%s: %w", path, err)
	}
	if p.seen[err.Error()] {
		return
	}
	if p.seen == nil {
		p.seen = map[string]bool{}
	}
	p.seen[err.Error()] = true
	if len(p.errs) == maxProblems {
		p.more++
		return
	}
	p.errs = append(p.errs, err)
}

func (p *problems) addf(path, format string, args ...any) { p.add(path, fmt.Errorf(format, args...)) }

// all adds errors that have their paths.
func (p *problems) all(errs expression.ErrorList) {
	for _, err := range errs {
		p.add("", err)
	}
}

func (p *problems) err() error {
	if p.more > 0 {
		return errors.Join(append(p.errs, fmt.Errorf("and %d more: correct these first", p.more))...)
	}
	return errors.Join(p.errs...)
}
