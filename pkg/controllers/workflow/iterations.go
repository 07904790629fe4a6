package workflow

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/search"
	"github.com/queueyard/queueyard/pkg/workflow"
	"github.com/queueyard/queueyard/pkg/workflow/plan"
)

// iterations are the operations that suggest trials of a matrix, and what they suggested. Their outputs in the API are
// the only record of that, so it is found again there.
type iterations struct {
	plan  *search.Iterations // before it was asked
	asked map[int64]*child   // by iteration
	// answers that can be read, by iteration.
	answers map[int64]search.Answer
	// search has the answers that follow each other from the first.
	search *search.Iterations
	// wrong is why it cannot go on, or empty.
	wrong string
}

func newIterations(p *plan.Plan) *iterations {
	if p.Iterations == nil {
		return nil
	}
	return &iterations{plan: p.Iterations, asked: map[int64]*child{}, answers: map[int64]search.Answer{}, search: p.Iterations}
}

// remember takes up what operations suggested, of former attempts only what serves. Whole: nothing of these.
func (r *run) remember(all []seen, whole bool) {
	last := map[int64]seen{}
	for _, s := range all {
		if before, is := last[s.index]; !is || before.attempt < s.attempt {
			last[s.index] = s
		}
	}
	for _, index := range slices.Sorted(maps.Keys(last)) {
		s := last[index]
		if s.attempt == r.attempt {
			r.hear(s)
			continue
		}
		if whole || workflow.StatusOf(s.phase) != workflow.Succeeded {
			continue
		}
		if r.hear(s); r.iterations.wrong != "" {
			r.iterations.forget(index - plan.SuggestIndex)
		}
	}
}

// hear takes a version of an operation that suggests trials.
func (r *run) hear(s seen) {
	it := r.iterations
	if it == nil {
		return
	}
	i := s.index - plan.SuggestIndex
	before := it.asked[i]
	if before != nil && (before.attempt > s.attempt || workflow.StatusOf(before.phase).Done() && before.attempt == s.attempt) {
		return // an old version; what is done is done
	}
	c := s.child
	it.asked[i] = &c
	r.begin(s)
	switch status := workflow.StatusOf(c.phase); {
	case !status.Done():
	case status == workflow.Succeeded:
		it.read(i, s.outputs)
	default:
		r.failed = append(r.failed, s.index)
		it.wrong = fmt.Sprintf("operation %q, which suggests trials, %s: %s; raise spec.restarts to ask again", c.name, c.phase, cmp.Or(c.message, "it says nothing more"))
	}
}

// read takes what an operation gave.
func (it *iterations) read(i int64, outputs v1alpha1.Values) {
	answer := []byte("{}")
	if suggestions, ok := outputs["suggestions"]; ok {
		answer, _ = json.Marshal(map[string]json.RawMessage{"suggestions": suggestions.Raw})
	}
	a, err := search.ReadAnswer(answer)
	if err != nil {
		it.unusable(i, err)
		return
	}
	it.answers[i] = a
	it.advance()
}

// advance takes the answers that follow.
func (it *iterations) advance() {
	for it.search.More() {
		i := it.search.Answers()
		a, ok := it.answers[i]
		if !ok {
			return
		}
		next, err := it.search.Next(a)
		if err != nil {
			it.unusable(i, err)
			return
		}
		it.search = next
	}
}

func (it *iterations) unusable(i int64, err error) {
	it.wrong = fmt.Sprintf("operation %q succeeded, and %s; raise spec.restarts to ask again", it.asked[i].name, err)
}

// forget forgets what was asked in an iteration: it is asked again.
func (it *iterations) forget(i int64) {
	delete(it.asked, i)
	delete(it.answers, i)
	it.search, it.wrong = it.plan, ""
	it.advance()
}

// waits is the operation that is being asked, or nil.
func (it *iterations) waits() *child {
	if c := it.asked[it.search.Answers()]; c != nil && workflow.StatusOf(c.phase) == workflow.Active {
		return c
	}
	return nil
}

// active are the operations that were asked and have not ended: one, unless an answer was lost.
func (it *iterations) active() (out []*child) {
	for _, c := range it.asked {
		if workflow.StatusOf(c.phase) == workflow.Active {
			out = append(out, c)
		}
	}
	return out
}

// due is what is to be asked now.
func (r *run) due() *search.Request {
	it := r.iterations
	if it == nil || it.wrong != "" || r.counts[workflow.Active] > 0 || it.asked[it.search.Answers()] != nil {
		return nil
	}
	observations := make([]search.Observation, 0, len(r.trials.observed))
	for _, o := range r.trials.observed {
		if suggested, ok := it.search.Trial(o.Index); ok {
			given := o.Params
			o.Params = make(map[string]json.RawMessage, len(suggested.Params))
			for name := range suggested.Params {
				if raw, ok := given[name]; ok {
					o.Params[name] = raw
				}
			}
			observations = append(observations, o)
		}
	}
	if request, due := it.search.Due(observations); due {
		return &request
	}
	return nil
}

// says is how far the search has come.
func (it *iterations) says(ended int64) string {
	many := func(n int64) string {
		return fmt.Sprintf("asked %d of at most %d times: ", n, it.search.MaxIterations())
	}
	answers := it.search.Answers()
	switch c := it.waits(); {
	case it.wrong != "":
		return many(answers+1) + "there is no answer that could be used"
	case c != nil:
		return many(answers+1) + fmt.Sprintf("waits for what operation %s suggests", c.name)
	case ended < it.search.Suggested():
		return many(answers) + fmt.Sprintf("waits for the trials, %d of %d have ended", ended, it.search.Suggested())
	case it.search.More():
		return many(answers) + "about to be asked again"
	}
	return many(answers) + "there are no further trials"
}
