package main

import (
	"fmt"
	"strconv"
	"strings"
)

// shape is so many queues of so many seats each.
type shape struct{ queues, seats int }

func (s shape) String() string { return fmt.Sprintf("%dx%d", s.queues, s.seats) }

// pods is how many are sent through a shape: enough for twenty turns of every seat, but not more
// than the cap.
func (s shape) pods(atMost int) int { return min(20*s.queues*s.seats, atMost) }

// options are what the command line says.
type options struct {
	waiting []int
	shapes  []shape
	rates   bool // compare the rate of placing with the stock scheduler's
	pods    int
	repeats int
	nodes   int
	bin     string
	json    string
}

func parseShapes(text string) (shapes []shape, err error) {
	for _, word := range words(text) {
		queues, seats, found := strings.Cut(word, "x")
		q, errQ := strconv.Atoi(queues)
		s, errS := strconv.Atoi(seats)
		if !found || errQ != nil || errS != nil || q < 1 || s < 1 {
			return nil, fmt.Errorf("shape %q: write QUEUESxSEATS, like 1x50", word)
		}
		shapes = append(shapes, shape{q, s})
	}
	return shapes, nil
}

func parseCounts(text string) (counts []int, err error) {
	for _, word := range words(text) {
		n, err := strconv.Atoi(word)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("waiting pods %q: write whole numbers with commas between, like 100,10000", word)
		}
		counts = append(counts, n)
	}
	return counts, nil
}

func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}
