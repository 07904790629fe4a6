package search

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/queueyard/queueyard/pkg/search"
)

// Search is an algorithm and how many trials it runs at a time.
type Search struct {
	Name     string
	Parallel int
	// Costly: a trial takes it so long that it is measured with fewer.
	Costly bool
	Spec   func(p Problem, trials int) search.Spec
}

// minimize is what problems want.
var minimize = search.Metric{Name: "y", Optimization: search.Minimize}

// Random is what every other search must beat.
func Random() Search {
	return Search{"random", 1, false, func(p Problem, trials int) search.Spec {
		return search.Spec{Random: &search.Random{Params: p.Params(), NumRuns: int64(trials)}}
	}}
}

// TPE is the Parzen estimator.
func TPE(parallel int) Search {
	return Search{"tpe", parallel, false, func(p Problem, trials int) search.Spec {
		return search.Spec{TPE: &search.TPE{Params: p.Params(), NumRuns: int64(trials), Metric: minimize}}
	}}
}

// Anneal is annealing.
func Anneal(parallel int) Search {
	return Search{"hyperopt, anneal", parallel, false, func(p Problem, trials int) search.Spec {
		return search.Spec{Hyperopt: &search.Hyperopt{Algorithm: "anneal", Params: p.Params(), NumRuns: int64(trials), Metric: &minimize}}
	}}
}

// Bayes is the Gaussian process with an acquisition function.
func Bayes(acquisition string, parallel int) Search {
	return Search{"bayes, " + acquisition, parallel, true, func(p Problem, trials int) search.Spec {
		initial := int64(2*len(p.Low) + 2)
		return search.Spec{Bayes: &search.Bayes{
			Params: p.Params(), MaxIterations: max(0, int64(trials)-initial), Metric: minimize,
			UtilityFunction: &search.UtilityFunction{AcquisitionFunction: acquisition},
		}}
	}}
}

// MedianRegret is the median over so many seeds, from 0, of the regret after each of budgets.
func (s Search) MedianRegret(p Problem, seeds int, budgets ...int) ([]float64, error) {
	return Medians(seeds, len(budgets), func(seed int64) ([]float64, error) {
		return Regret(p, s.Spec(p, budgets[len(budgets)-1]), seed, s.Parallel, budgets...)
	})
}

// Medians over so many seeds of what one gives for each of some budgets.
func Medians(seeds, budgets int, one func(seed int64) ([]float64, error)) ([]float64, error) {
	of := make([][]float64, budgets)
	var mu sync.Mutex
	var failed error
	var all sync.WaitGroup
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	for seed := range int64(seeds) {
		all.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			regrets, err := one(seed)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = fmt.Errorf("seed %d: %w", seed, err)
				return
			}
			for i, r := range regrets {
				of[i] = append(of[i], r)
			}
		})
	}
	all.Wait()
	if failed != nil {
		return nil, failed
	}
	out := make([]float64, budgets)
	for i := range out {
		out[i] = median(of[i])
	}
	return out, nil
}
