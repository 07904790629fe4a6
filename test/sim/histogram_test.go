package sim

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestQuantilesAreCloseToThoseOfTheSortedList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Int64Range(0, int64(maxTime)), 1, 200).Draw(t, "durations")
		split := rapid.IntRange(0, len(list)).Draw(t, "split")
		var h, other histogram
		for i, d := range list {
			if i < split {
				h.add(time.Duration(d))
			} else {
				other.add(time.Duration(d))
			}
		}
		h.merge(&other)
		slices.Sort(list)
		for _, share := range []float64{0.5, 0.95, 0.99, 1} {
			exact := time.Duration(list[int(math.Ceil(share*float64(len(list))))-1])
			got := h.quantile(share)
			require.GreaterOrEqual(t, got, exact.Truncate(time.Microsecond))
			require.LessOrEqual(t, got, exact+exact/perDoubling+time.Microsecond)
		}
		require.Equal(t, time.Duration(list[len(list)-1]), h.max)
	})
}

func TestBucketsCoverAllNumbersOnce(t *testing.T) {
	for b := 1; b < 4000; b++ {
		require.Equal(t, b, bucketOf(upper(b)))
		require.Equal(t, b, bucketOf(upper(b-1)+1))
	}
}
