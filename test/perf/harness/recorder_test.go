package harness

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func after(ms int) time.Time { return epoch.Add(time.Duration(ms) * time.Millisecond) }

func TestRecorder(t *testing.T) {
	r := NewRecorder(2, map[string]int{"q": 4})
	for i := range 4 {
		r.Created(fmt.Sprint(i), "q", epoch)
	}
	r.Observe("other", true, false, after(1))
	r.Observe("0", true, false, after(100))
	r.Observe("1", true, false, after(200)) // full from here
	r.Observe("1", true, false, after(300)) // seen again
	r.Observe("0", true, true, after(1200))
	r.Observe("2", true, false, after(1220)) // 20 ms after the end of 0
	r.Observe("1", true, true, after(2000))
	r.Observe("2", true, true, after(2000))
	r.Observe("3", true, false, after(2200)) // 200 ms after the end of 1; nobody waits any more
	<-r.Bound
	select {
	case <-r.Ended:
		t.Fatal("pod 3 has not ended")
	default:
	}
	r.Observe("3", true, true, after(9000))
	<-r.Ended

	got := r.Timing()
	require.InDelta(t, (2*1.0+1*0.02+2*0.78+0*0.2)/2/2, got.Utilisation, 1e-9)
	require.Equal(t, 2, got.Peak)
	require.Equal(t, 200.0, got.TurnoverP99)
	require.Equal(t, 2200.0, got.WaitP99)
}

func TestRecorderWithoutSeats(t *testing.T) {
	r := NewRecorder(0, map[string]int{"": 20})
	for i := range 20 {
		r.Created(fmt.Sprint(i), "", epoch)
		r.Observe(fmt.Sprint(i), true, false, after(i*10))
	}
	got := r.Timing()
	require.InDelta(t, 100, got.Placed, 1e-9)
	require.Zero(t, got.Utilisation)
	require.Zero(t, got.TurnoverP50)
	require.Equal(t, 20, got.Peak)
}
