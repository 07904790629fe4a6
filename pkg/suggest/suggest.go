// Package suggest finds the name that somebody may have meant.
package suggest

import (
	"fmt"
	"slices"
)

// DidYouMean is ` (did you mean "NAME"?)` with the nearest of names, or nothing where none is near.
func DidYouMean(name string, names []string) string {
	nearest, ok := Nearest(name, names)
	if !ok {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", nearest)
}

// longest is how long a name of Kubernetes can be. What is longer is no misspelling, and costly to compare.
const longest = 253

// Nearest is the name that takes the fewest edits, if few are enough.
func Nearest(name string, names []string) (string, bool) {
	if len(name) > longest {
		return "", false
	}
	best, bestDistance := "", 1+max(1, len(name)/3)
	for _, candidate := range slices.Sorted(slices.Values(names)) {
		if d := distance(name, candidate); d < bestDistance && d < len(candidate) {
			best, bestDistance = candidate, d
		}
	}
	return best, best != ""
}

// distance counts the insertions, deletions, replacements and swaps of neighbours between two names.
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			replace := row[j]
			if a[i] != b[j] {
				replace++
			}
			next[j+1] = min(replace, next[j]+1, row[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
