package curve

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	nan := math.NaN()
	for line, want := range map[string]*Report{
		`queueyard {"step":3,"loss":0.41,"accuracy":0.88}`:                              {3, map[string]float64{"loss": 0.41, "accuracy": 0.88}},
		"queueyard {\"step\": 0, \"loss\": -1e-3}\r\n":                                  {0, map[string]float64{"loss": -1e-3}},
		`queueyard {"loss": 1, "step": 3.0}`:                                            {3, map[string]float64{"loss": 1}},
		`queueyard {"step": 1, "loss": NaN, "a": Infinity, "b":-Infinity,"c":nan}`:      {1, map[string]float64{"loss": nan, "a": nan, "b": nan, "c": nan}},
		`queueyard {"step": 1, "loss": "NaN", "a": "-inf", "b": null, "c": 1e999}`:      {1, map[string]float64{"loss": nan, "a": nan, "b": nan, "c": nan}},
		`queueyard {"step": 1, "loss": 2, "name": "x: NaN, \" NaN }", "ok": true}`:      {1, map[string]float64{"loss": 2}},
		`queueyard {"step": 1, "loss": 2, "more": {"a": 1}, "list": [NaN]}`:             nil,
		`queueyard {"step": 1, "loss": 2, "more": {"a": 1}, "list": [1]}`:               {1, map[string]float64{"loss": 2}},
		`queueyard {"step": 1, "loss": 2, "loss": 3}`:                                   {1, map[string]float64{"loss": 3}},
		`queueyard {"step": 1, "loss": 0.4`:                                             nil,
		`queueyard {"step": 1, "loss": 0.4} and more`:                                   nil,
		`queueyard {"step": 1}`:                                                         nil,
		`queueyard {"step": 1, "name": "a"}`:                                            nil,
		`queueyard {"loss": 1}`:                                                         nil,
		`queueyard {"step": 1.5, "loss": 1}`:                                            nil,
		`queueyard {"step": -1, "loss": 1}`:                                             nil,
		`queueyard {"step": "1", "loss": 1}`:                                            nil,
		`queueyard {"step": null, "loss": 1}`:                                           nil,
		`queueyard {"step": NaN, "loss": 1}`:                                            nil,
		`queueyard {"step": 1e300, "loss": 1}`:                                          nil,
		`queueyard [1, 2]`:                                                              nil,
		`queueyard`:                                                                     nil,
		``:                                                                              nil,
		` queueyard {"step": 1, "loss": 1}`:                                             nil,
		`queueyards {"step": 1, "loss": 1}`:                                             nil,
		`{"step": 1, "loss": 1}`:                                                        nil,
		`queueyard {"step": 1, "loss": 1, "x": "` + strings.Repeat("x", MaxLine) + `"}`: nil,
		`queueyard {"step": 1, "loss": 1, ` + strings.Repeat(`"a":1,`, 200) + `"b": 2}`: {1, map[string]float64{"loss": 1, "a": 1, "b": 2}},
	} {
		got, is := Parse([]byte(line))
		require.Equal(t, want != nil, is, line)
		if want == nil {
			continue
		}
		require.Equal(t, want.Step, got.Step, line)
		require.Len(t, got.Values, len(want.Values), line)
		for name, value := range want.Values {
			require.InDelta(t, value, got.Values[name], 0, line)
		}
	}
}

func TestParseTooManyMetrics(t *testing.T) {
	line := func(n int) []byte {
		text := `queueyard {"step": 1`
		for i := range n {
			text += `, "m` + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + string(rune('a'+i/26)) + `": 1`
		}
		return []byte(text + "}")
	}
	_, is := Parse(line(MaxMetrics))
	require.True(t, is)
	_, is = Parse(line(MaxMetrics + 1))
	require.False(t, is)
}

func TestLog(t *testing.T) {
	var steps []int64
	last := Log([]byte("2026-01-02T03:04:05.000000001Z queueyard {\"step\": 1, \"loss\": 1}\n"+
		"no time queueyard {\"step\": 2, \"loss\": 1}\n"+
		"2026-01-02T03:04:06Z \n"+
		"2026-01-02T03:04:07Z noise\n"+
		"2026-01-02T03:04:08.5+00:00 queueyard {\"step\": 3, \"loss\": 1}\n"+
		"2026-01-02T03:04:09Z queueyard {\"step\": 4, \"lo"), func(r Report) { steps = append(steps, r.Step) })
	require.Equal(t, []int64{1, 3}, steps)
	require.True(t, last.Equal(time.Date(2026, 1, 2, 3, 4, 9, 0, time.UTC)))
	require.True(t, Log([]byte("2026-01-0"), func(Report) {}).IsZero())
}

func FuzzLog(f *testing.F) {
	f.Add([]byte(`2026-01-02T03:04:05Z queueyard {"step": 1, "loss": NaN, "x": "\" NaN"}`))
	f.Add([]byte("2026-01-02T03:04:05Z queueyard {\"step\": 1, \"loss\": 0.5}\n2026-01-02T03:04:05Z queueyard {\"step\": 2, \"loss\": "))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := New(3)
		Log(data, func(r Report) {
			require.NotEmpty(t, r.Values)
			require.LessOrEqual(t, len(r.Values), MaxMetrics)
			require.GreaterOrEqual(t, r.Step, int64(0))
			for _, v := range r.Values {
				require.False(t, math.IsInf(v, 0))
				c.Add(r.Step, v)
			}
		})
		raw, err := c.MarshalJSON()
		require.NoError(t, err)
		require.NoError(t, (&Curve{}).UnmarshalJSON(raw))
	})
}
