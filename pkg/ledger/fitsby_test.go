package ledger

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// When the head fits, as it is reckoned, is the moment at which it is admitted if nobody comes and all end when
// they say; where that is not known it stays out for as long as those run that say nothing.
func TestTheHeadIsAdmittedWhenItWasReckonedToFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := New()
		guarantee := rapid.SampledFrom([]int64{0, 0, 1}).Draw(t, "guaranteed")
		few := func(name string) int64 { return rapid.Int64Range(2, 6).Draw(t, name) }
		limits := func() Limits {
			limits := Limits{Seats: rapid.SampledFrom([]int64{Unlimited, Unlimited, 2, 4}).Draw(t, "seats"), Resources: map[string]int64{}}
			for _, name := range []string{"cpu", "gpu"} {
				if rapid.Bool().Draw(t, name) {
					limits.Resources[name] = few(name)
				}
			}
			return limits
		}
		l.SetAgent("a", limits())
		l.SetOrganization("o", limits())
		l.SetProject("p", "o", limits())
		for _, name := range []string{"q", "other"} {
			c := QueueConfig{Agent: "a", Level: 1, Limits: limits()}
			if name == "other" {
				c.Guaranteed = guarantee
			}
			l.SetQueue(name, c)
		}
		pod := func(uid, queue, operation string) Pod {
			project := rapid.SampledFrom([]string{"", "p"}).Draw(t, "project")
			return Pod{UID: uid, Queue: queue, Operation: operation + project, Project: project,
				Requests: map[string]int64{"cpu": rapid.Int64Range(0, 3).Draw(t, "asks cpu"), "gpu": rapid.Int64Range(0, 2).Draw(t, "asks gpu")}}
		}
		ends := map[string]int64{}
		running := rapid.IntRange(1, 8).Draw(t, "running")
		for i := range running {
			uid := fmt.Sprint("r", i)
			l.Charge(pod(uid, rapid.SampledFrom([]string{"q", "other"}).Draw(t, "queue"), rapid.SampledFrom([]string{uid, "shared"}).Draw(t, "operation")))
			if rapid.IntRange(0, 9).Draw(t, "says nothing") > 0 {
				ends[uid] = rapid.Int64Range(1, 5).Draw(t, "end")
			}
		}
		size := rapid.SampledFrom([]int{1, 1, 2}).Draw(t, "gang")
		head := pod("head0", "q", "head")
		head.Gang = size
		for i := range size {
			head.UID = fmt.Sprint("head", i)
			l.Enter(head)
		}
		if !l.Reserve("head0", 0) {
			return // it can never fit
		}
		at, known := l.FitsBy("head0", func(uid string) (int64, bool) { end, ok := ends[uid]; return end, ok })
		admitted := func() bool {
			return slices.ContainsFunc(l.Admit(0), func(a Admission) bool { return a.UID == "head0" })
		}
		for now := int64(0); now <= 5; now++ {
			for _, uid := range slices.Sorted(maps.Keys(ends)) {
				if ends[uid] == now {
					l.Remove(uid)
				}
			}
			if !admitted() {
				require.False(t, known && at <= now, "it was to fit by %d and does not at %d", at, now)
				continue
			}
			if guarantee == 0 { // else a seat that others have may be kept for their queue, or not
				require.True(t, known, "it fits at %d", now)
				require.Equal(t, now, max(at, 0))
			}
			return
		}
		require.False(t, known)
	})
}
