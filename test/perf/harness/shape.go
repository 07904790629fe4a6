package harness

import (
	"fmt"
	"strconv"
	"strings"
)

// Shape is so many queues of so many seats each.
type Shape struct{ Queues, Seats int }

func (s Shape) String() string { return fmt.Sprintf("%dx%d", s.Queues, s.Seats) }

// Pods is how many are sent through a shape: enough for twenty turns of every seat, but not more
// than the cap.
func (s Shape) Pods(atMost int) int { return min(20*s.Queues*s.Seats, atMost) }

// ParseShapes reads a list like "1x50,10x20".
func ParseShapes(text string) (shapes []Shape, err error) {
	for _, word := range words(text) {
		queues, seats, found := strings.Cut(word, "x")
		q, errQ := strconv.Atoi(queues)
		s, errS := strconv.Atoi(seats)
		if !found || errQ != nil || errS != nil || q < 1 || s < 1 {
			return nil, fmt.Errorf("shape %q: write QUEUESxSEATS, like 1x50", word)
		}
		shapes = append(shapes, Shape{q, s})
	}
	return shapes, nil
}

// ParseCounts reads a list like "100,10000".
func ParseCounts(text string) (counts []int, err error) {
	for _, word := range words(text) {
		n, err := strconv.Atoi(word)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%q: write whole numbers with commas between, like 100,10000", word)
		}
		counts = append(counts, n)
	}
	return counts, nil
}

func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}
