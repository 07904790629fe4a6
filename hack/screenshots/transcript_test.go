package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBetween(t *testing.T) {
	got, err := between("a\n"+begin+"old\n"+end+"z\n", "new\n")
	require.NoError(t, err)
	require.Equal(t, "a\n"+begin+"new\n"+end+"z\n", got)
	again, err := between(got, "new\n")
	require.NoError(t, err)
	require.Equal(t, got, again)
	for _, wrong := range []string{"", begin, end, end + begin} {
		_, err := between(wrong, "new\n")
		require.ErrorContains(t, err, "are not there in this order")
	}
}
