// Package spelling finds the name that somebody meant.
package spelling

import "fmt"

// Names that are longer are no misspellings, nor are those of a single letter.
const longest = 253

// DidYouMean is " (did you mean ...?)" with the nearest of the names, or nothing where none is near.
// Of names that are equally near it takes the first in alphabetical order.
func DidYouMean(name string, names []string) string {
	if len(name) < 2 || len(name) > longest {
		return ""
	}
	best, bestDistance := "", 1+max(1, len(name)/3)
	for _, candidate := range names {
		if apart := len(candidate) - len(name); apart > bestDistance || -apart > bestDistance {
			continue
		}
		if d := distance(name, candidate); d < bestDistance || d == bestDistance && best != "" && candidate < best {
			best, bestDistance = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// distance counts the insertions, deletions, replacements and swaps of neighbours between two names.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			row[j] = last[j-1]
			if a[i-1] != b[j-1] {
				row[j]++
			}
			row[j] = min(row[j], last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
