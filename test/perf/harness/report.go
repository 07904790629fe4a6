package harness

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
)

// WriteJSON keeps results with all their figures; without a path it does nothing.
func WriteJSON(path string, results any) error {
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
