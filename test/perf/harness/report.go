package harness

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// writeJSON keeps results with all their figures; without a path it does nothing.
func writeJSON(path string, results any) error {
	if path == "" {
		return nil
	}
	text, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", strconv.Quote(path), err)
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// Median is the median of a figure of results; 0 where there are none.
func Median[R any](results []R, figure func(R) float64) float64 {
	if len(results) == 0 {
		return 0
	}
	var all []float64
	for _, r := range results {
		all = append(all, figure(r))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// MedianCounts is the median of each count of results.
func MedianCounts[R any](results []R, counts func(R) map[string]float64) map[string]float64 {
	medians := map[string]float64{}
	for _, r := range results {
		for name := range counts(r) {
			medians[name] = Median(results, func(r R) float64 { return counts(r)[name] })
		}
	}
	return medians
}

// WriteCounts prints a Markdown table of what happened at least once in a hundred times: a row for each name, a
// column under each head.
func WriteCounts(w io.Writer, heads []string, columns []map[string]float64) {
	names := map[string]bool{}
	for _, counts := range columns {
		for name, n := range counts {
			if n >= 0.01 {
				names[name] = true
			}
		}
	}
	fmt.Fprintf(w, "| | %s |\n|---|%s\n", strings.Join(heads, " | "), strings.Repeat("---|", len(heads)))
	for _, name := range slices.Sorted(maps.Keys(names)) {
		fmt.Fprintf(w, "| %s |", name)
		for _, counts := range columns {
			fmt.Fprintf(w, " %.2f |", counts[name])
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
}
