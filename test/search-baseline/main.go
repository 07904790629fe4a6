// Search-baseline measures how well Queueyard searches, beside goptuna, and fails where that is not well
// enough. It is a module of its own: nothing else needs goptuna.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"time"

	"github.com/c-bata/goptuna"
	"github.com/c-bata/goptuna/cmaes"
	"github.com/c-bata/goptuna/tpe"

	measure "github.com/queueyard/queueyard/test/search"
)

func main() {
	seeds := flag.Int("seeds", 20, "how many seeds, from 0, a median is of")
	only := flag.String("only", "", "a regular expression: measure only searches whose name it matches, and check nothing")
	flag.Parse()
	wanted, err := regexp.Compile(*only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "-only:", err)
		os.Exit(2)
	}
	if err := run(*seeds, wanted); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// table has median regrets by search, problem and trials.
type table map[string]float64

func key(search string, p measure.Problem, trials int) string {
	return fmt.Sprintf("%s, %s@%d", search, p.Name, trials)
}

func run(seeds int, wanted *regexp.Regexp) error {
	t := table{}
	fmt.Println("| search | at a time | Branin@50 | @200 | Hartmann6@50 | @100 | @200 | took |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	all := []measure.Search{
		measure.Random(), measure.TPE(1), measure.TPE(4), measure.Anneal(1), measure.Anneal(4),
		measure.Bayes("ei", 1), measure.Bayes("ei", 4), measure.Bayes("ucb", 1), measure.Bayes("ucb", 4), measure.Bayes("poi", 1), measure.Bayes("poi", 4),
	}
	for _, s := range all {
		if !wanted.MatchString(s.Name) {
			continue
		}
		name := fmt.Sprintf("%s ×%d", s.Name, s.Parallel)
		branin, hartmann := []int{50, 200}, []int{50, 100, 200}
		if s.Costly {
			branin, hartmann = []int{50}, []int{50, 100}
		}
		err := t.row(name, s.Name, s.Parallel, branin, hartmann, func(p measure.Problem, budgets []int) ([]float64, error) {
			return s.MedianRegret(p, seeds, budgets...)
		})
		if err != nil {
			return err
		}
	}
	for _, name := range []string{"random", "tpe", "cma-es"} {
		if name = "goptuna, " + name; !wanted.MatchString(name) {
			continue
		}
		err := t.row(name+" ×1", name, 1, []int{50, 200}, []int{50, 100, 200}, func(p measure.Problem, budgets []int) ([]float64, error) {
			return measure.Medians(seeds, len(budgets), func(seed int64) ([]float64, error) { return regret(name, p, seed, budgets) })
		})
		if err != nil {
			return err
		}
	}
	if wanted.String() != "" {
		return nil
	}
	return t.check()
}

// row measures and prints one.
func (t table) row(name, search string, parallel int, branin, hartmann []int, regrets func(measure.Problem, []int) ([]float64, error)) error {
	began := time.Now()
	cells := map[string]string{}
	for _, of := range []struct {
		problem measure.Problem
		budgets []int
	}{{measure.Branin, branin}, {measure.Hartmann6, hartmann}} {
		found, err := regrets(of.problem, of.budgets)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for i, budget := range of.budgets {
			t[key(name, of.problem, budget)] = found[i]
			cells[fmt.Sprint(of.problem.Name, budget)] = fmt.Sprintf("%.2g", found[i])
		}
	}
	fmt.Printf("| %s | %d | %s | %s | %s | %s | %s | %s |\n", search, parallel,
		cells["Branin50"], cells["Branin200"], cells["Hartmann650"], cells["Hartmann6100"], cells["Hartmann6200"], time.Since(began).Round(time.Second))
	return nil
}

// check compares what was measured with what is good enough.
func (t table) check() error {
	failed := 0
	gate := func(what string, got, bound float64) {
		verdict := "ok"
		if !(got <= bound) {
			verdict = "FAILED"
			failed++
		}
		fmt.Printf("%-6s %s: %.2g, at most %.2g\n", verdict, what, got, bound)
	}
	of := func(search string, p measure.Problem, trials int) float64 {
		v, ok := t[key(search, p, trials)]
		if !ok {
			panic(key(search, p, trials) + " was not measured")
		}
		return v
	}
	fmt.Println()
	b, h := measure.Branin, measure.Hartmann6
	for _, g := range []struct {
		search string
		p      measure.Problem
		trials int
		bound  float64
	}{{"bayes, ei ×1", b, 50, 0.01}, {"bayes, ei ×1", h, 50, 0.2}, {"bayes, ei ×1", h, 100, 0.01}, {"tpe ×1", b, 200, 0.1}, {"tpe ×1", h, 200, 0.4}} {
		gate(key(g.search, g.p, g.trials), of(g.search, g.p, g.trials), g.bound)
	}
	for _, g := range []struct {
		p      measure.Problem
		trials int
	}{{b, 200}, {h, 200}} {
		gate(key("tpe ×1 against half of random", g.p, g.trials), of("tpe ×1", g.p, g.trials), of("random ×1", g.p, g.trials)/2)
		gate(key("tpe ×4 against 3 times tpe ×1", g.p, g.trials), of("tpe ×4", g.p, g.trials), 3*of("tpe ×1", g.p, g.trials))
	}
	for _, g := range []struct {
		p      measure.Problem
		trials int
	}{{b, 50}, {h, 50}, {h, 100}} {
		for _, other := range []string{"ucb", "poi"} {
			gate(key("bayes, "+other+" against 10 times ei", g.p, g.trials), of("bayes, "+other+" ×1", g.p, g.trials), 10*of("bayes, ei ×1", g.p, g.trials))
		}
		gate(key("bayes, ei ×4 against 3 times ×1", g.p, g.trials), of("bayes, ei ×4", g.p, g.trials), 3*of("bayes, ei ×1", g.p, g.trials))
	}
	if failed > 0 {
		return fmt.Errorf("%d gates failed", failed)
	}
	return nil
}

// regret is that of a search of goptuna.
func regret(name string, p measure.Problem, seed int64, budgets []int) ([]float64, error) {
	options := []goptuna.StudyOption{goptuna.StudyOptionLogger(nil), goptuna.StudyOptionSampler(goptuna.NewRandomSampler(goptuna.RandomSamplerOptionSeed(seed)))}
	switch name {
	case "goptuna, tpe":
		options = append(options, goptuna.StudyOptionSampler(tpe.NewSampler(tpe.SamplerOptionSeed(seed))))
	case "goptuna, cma-es":
		options = append(options, goptuna.StudyOptionRelativeSampler(cmaes.NewSampler(cmaes.SamplerOptionSeed(seed))))
	}
	study, err := goptuna.CreateStudy("baseline", options...)
	if err != nil {
		return nil, err
	}
	var out []float64
	ended, best := 0, 0.0
	err = study.Optimize(func(trial goptuna.Trial) (float64, error) {
		x := make([]float64, len(p.Low))
		for i := range x {
			var err error
			if x[i], err = trial.SuggestFloat(p.Param(i), p.Low[i], p.High[i]); err != nil {
				return 0, err
			}
		}
		y := p.At(x)
		if ended == 0 || y < best {
			best = y
		}
		if ended++; ended == budgets[len(out)] {
			out = append(out, best-p.Minimum)
		}
		return y, nil
	}, budgets[len(budgets)-1])
	return out, err
}
