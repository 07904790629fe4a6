package cli

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

func TestTop(t *testing.T) {
	s := begin(t)
	s.given(queues)
	s.qy("top")
	s.qy("top", "--once", "--sort-by", "waiting", "--no-headers")
	s.qy("top", "gpu", "--agent", "default")
	s.qy("top", "gpux")
	s.qy("top", "--agent", "defualt")
	s.qy("top", "--sort-by", "age")
}

// A bar is as long as others, and full if and only if the limit is used up.
func TestGauge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		used, most := rapid.IntRange(0, 50).Draw(t, "used"), rapid.IntRange(0, 40).Draw(t, "most")
		c := gauge("x", share(float64(used), float64(most)), true, true)
		bar := []rune(c.text)[:barWidth]
		n := 0
		for n < barWidth && bar[n] == '█' {
			n++
		}
		for _, rest := range bar[n:] {
			if rest != '░' {
				t.Fatal(c.text)
			}
		}
		if full := used >= most; full != (n == barWidth) || full != (c.colour == yellow) || (used == 0 && most > 0) != (n == 0) {
			t.Fatal(used, most, c)
		}
	})
	require.Equal(t, cell{text: "3"}, gauge("3", 0, false, false))
}

// A terminal that is too small shows what fits, and says how much does not.
func TestTopPicture(t *testing.T) {
	queues := map[string]*v1alpha1.Queue{}
	for _, name := range []string{"a", "b", "c", "d"} {
		q := &v1alpha1.Queue{}
		q.Name = name
		queues[name] = q
	}
	s := (&session{T: t}).shell()
	s.Size = func() (int, int) { return 80, 7 }
	text, err := (&top{shell: s, sortBy: "name"}).picture(queues, true)
	require.NoError(t, err)
	require.Contains(t, text, "4 queues, 0 running, 0 waiting")
	require.Contains(t, text, "… and 1 queue that the terminal has no room for")
}
