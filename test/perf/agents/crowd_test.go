package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSteps(t *testing.T) {
	for most, want := range map[int][]int{1: {0, 1}, 7: {0, 1, 7}, 10: {0, 1, 10}, 50: {0, 1, 10, 50}} {
		require.Equal(t, want, steps(most))
	}
}
