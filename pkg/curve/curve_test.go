package curve

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestCurve(t *testing.T) {
	c := New(10)
	c.Add(0, 9)
	for step := int64(1); step <= 25; step++ {
		c.Add(step, float64(step))
	}
	c.Add(25, -1)
	c.Add(3, -1)
	c.Add(-1, -1)
	c.Add(26, math.NaN())
	got := c.Points()
	require.Equal(t, []Point{{0, 1, 9, 9, 9}, {10, 10, 55, 1, 10}, {20, 10, 155, 11, 20}}, got[:3])
	require.Len(t, got, 4)
	last := got[3]
	require.True(t, math.IsNaN(last.Sum))
	last.Sum = 0
	require.Equal(t, Point{26, 6, 0, 21, 25}, last)
}

// Any values make a bounded curve that loses none and does not depend on how it was read: at once or again from an earlier
// place on, with or without a restart in between.
func TestCurveProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		interval := rapid.Int64Range(0, 20).Draw(t, "interval")
		gaps := rapid.SliceOfN(rapid.Int64Range(1, rapid.SampledFrom([]int64{1, 3, 1000}).Draw(t, "gap")), 0, 700).Draw(t, "gaps")
		type report struct {
			step  int64
			value float64
		}
		var all []report
		step := int64(-1)
		for _, gap := range gaps {
			step += gap
			value := float64((step * 7919) % 101)
			if value == 13 {
				value = math.NaN()
			}
			all = append(all, report{step, value})
		}
		at := func(n int) *Curve {
			c := New(interval)
			for _, r := range all[:n] {
				c.Add(r.step, r.value)
			}
			return c
		}
		once := at(len(all))
		cut := rapid.IntRange(0, len(all)).Draw(t, "cut")
		raw, err := json.Marshal(at(cut))
		require.NoError(t, err)
		again := &Curve{}
		require.NoError(t, json.Unmarshal(raw, again))
		for _, r := range all[rapid.IntRange(0, cut).Draw(t, "back"):] {
			again.Add(r.step, r.value)
		}
		want, err := json.Marshal(once)
		require.NoError(t, err)
		got, err := json.Marshal(again)
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(got))

		require.LessOrEqual(t, len(once.Points()), MaxPoints)
		require.Less(t, len(want), 16<<10)
		var count int64
		least, before := math.NaN(), int64(-1)
		for _, p := range once.Points() {
			require.Greater(t, p.Step, before)
			before = p.Step
			count += p.Count
			least = finite(math.Min, least, p.Min)
			// A point has just what is behind the multiple before it.
			begin := (p.Step - 1) / once.width * once.width
			var inside int64
			for _, r := range all {
				if r.step <= p.Step && (r.step > begin || p.Step == 0) {
					inside++
				}
			}
			require.Equal(t, inside, p.Count)
		}
		require.EqualValues(t, len(all), count)
		truth := math.NaN()
		for _, r := range all {
			truth = finite(math.Min, truth, r.value)
		}
		require.InDelta(t, truth, least, 0)
	})
}

func TestCurveRefused(t *testing.T) {
	for _, raw := range []string{`{"width":0,"points":[]}`, `{"width":1,"points":[[1]]}`, `{"width":1,"points":[[2,1],[1,1]]}`, `{"width":1,"points":[[-1,1]]}`, `{"width":1,"points":[[1,0,1,1,1]]}`, `[]`} {
		require.Error(t, json.Unmarshal([]byte(raw), &Curve{}), raw)
	}
}
