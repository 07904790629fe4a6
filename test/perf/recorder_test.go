package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func after(ms int) time.Time { return epoch.Add(time.Duration(ms) * time.Millisecond) }

func TestRecorder(t *testing.T) {
	r := newRecorder(2, map[string]int{"q": 4})
	for i := range 4 {
		r.created(fmt.Sprint(i), "q", epoch)
	}
	r.observe("other", true, false, after(1))
	r.observe("0", true, false, after(100))
	r.observe("1", true, false, after(200)) // full from here
	r.observe("1", true, false, after(300)) // seen again
	r.observe("0", true, true, after(1200))
	r.observe("2", true, false, after(1220)) // 20 ms after the end of 0
	r.observe("1", true, true, after(2000))
	r.observe("2", true, true, after(2000))
	r.observe("3", true, false, after(2200)) // 200 ms after the end of 1; nobody waits any more
	<-r.bound
	select {
	case <-r.ended:
		t.Fatal("pod 3 has not ended")
	default:
	}
	r.observe("3", true, true, after(9000))
	<-r.ended

	got := r.timing()
	require.InDelta(t, (2*1.0+1*0.02+2*0.78+0*0.2)/2/2, got.Utilisation, 1e-9)
	require.Equal(t, 2, got.Peak)
	require.Equal(t, 200.0, got.TurnoverP99)
	require.Equal(t, 2200.0, got.WaitP99)
}

func TestRecorderWithoutSeats(t *testing.T) {
	r := newRecorder(0, map[string]int{"": 20})
	for i := range 20 {
		r.created(fmt.Sprint(i), "", epoch)
		r.observe(fmt.Sprint(i), true, false, after(i*10))
	}
	got := r.timing()
	require.InDelta(t, 100, got.Placed, 1e-9)
	require.Zero(t, got.Utilisation)
	require.Zero(t, got.TurnoverP50)
	require.Equal(t, 20, got.Peak)
}
