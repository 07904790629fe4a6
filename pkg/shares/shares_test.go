package shares

import (
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func settled(name string, has, demand int64) Party {
	return Party{Name: name, Published: Share{"": has}, Held: Share{"": has}, Demand: Share{"": demand}}
}

func TestDivide(t *testing.T) {
	change := func(p Party, edit func(*Party)) Party {
		edit(&p)
		return p
	}
	pending := func(p *Party) { p.Pending = true }
	leaving := func(p *Party) { p.Leaving = true }
	unreachable := func(p *Party) { p.Unreachable = true }
	holds := func(n int64) func(*Party) { return func(p *Party) { p.Held = Share{"": n} } }
	for name, tt := range map[string]struct {
		limit   int64
		parties []Party
		want    []int64
	}{
		"nobody":                               {20, nil, nil},
		"idle: evenly":                         {20, []Party{{}, {}, {}}, []int64{7, 7, 6}},
		"the rest stays where it is":           {20, []Party{settled("a", 6, 0), settled("b", 7, 0), settled("c", 7, 0)}, []int64{6, 7, 7}},
		"where the demand is":                  {20, []Party{{Demand: Share{"": 18}}, {}}, []int64{19, 1}},
		"more demand than room: max-min":       {20, []Party{{Demand: Share{"": 3}}, {Demand: Share{"": 90}}, {Demand: Share{"": 50}}}, []int64{3, 9, 8}},
		"first what is lowered":                {20, []Party{settled("a", 20, 0), settled("b", 0, 15)}, []int64{3, 0}},
		"then nothing before it is free":       {20, []Party{change(settled("a", 3, 0), holds(20)), settled("b", 0, 15)}, []int64{3, 0}},
		"then what is free":                    {20, []Party{change(settled("a", 3, 0), holds(12)), settled("b", 0, 15)}, []int64{3, 8}},
		"then all":                             {20, []Party{settled("a", 3, 0), settled("b", 8, 15)}, []int64{3, 17}},
		"nobody needs it: nothing moves":       {20, []Party{settled("a", 14, 1), settled("b", 6, 0)}, []int64{14, 6}},
		"half of the reserve is used":          {20, []Party{settled("a", 14, 1), settled("b", 6, 3)}, []int64{9, 6}},
		"a pending one is left":                {20, []Party{change(settled("a", 20, 0), pending), settled("b", 0, 15)}, []int64{20, 0}},
		"also with something free":             {20, []Party{change(settled("a", 5, 9), pending), settled("b", 5, 9)}, []int64{5, 10}},
		"an unreachable one keeps what it has": {20, []Party{change(settled("a", 12, 0), unreachable), settled("b", 2, 50), settled("c", 6, 50)}, []int64{12, 2, 4}},
		"one that is gone gives it back":       {20, []Party{change(settled("a", 20, 9), func(p *Party) { p.Gone = true }), settled("b", 0, 50)}, []int64{0, 20}},
		"a lowered limit lowers":               {5, []Party{settled("a", 10, 10), settled("b", 10, 10)}, []int64{3, 2}},
		"and raises nobody":                    {10, []Party{settled("a", 20, 20), settled("b", 0, 20)}, []int64{5, 0}},
		"a raised limit raises":                {30, []Party{settled("a", 10, 10), settled("b", 10, 10)}, []int64{15, 15}},
		"a new limit bounds what had none":     {10, []Party{{Published: Share{}, Held: Share{}, Demand: Share{"": 2}}, {}}, []int64{6, 0}},
		"one that leaves has nothing":          {20, []Party{change(settled("a", 20, 9), leaving), settled("b", 0, 5)}, []int64{0, 0}},
		"what it holds is not given":           {20, []Party{change(change(settled("a", 0, 9), leaving), holds(8)), settled("b", 0, 50)}, []int64{0, 12}},
		"also if all leave":                    {20, []Party{change(settled("a", 20, 9), leaving)}, []int64{0}},
		"it is heard of first":                 {20, []Party{change(change(settled("a", 20, 9), leaving), pending), settled("b", 0, 50)}, []int64{20, 0}},
		// A limit that was set while it was silent.
		"one that never heard of the limit keeps what is known of it": {20, []Party{
			change(Party{Published: Share{}, Held: Share{}, Known: Share{"": 7}}, unreachable), settled("b", 0, 50), settled("c", 0, 50)}, []int64{0, 7, 6}},
		"which may be nothing":                             {20, []Party{change(Party{Published: Share{}, Held: Share{}}, unreachable), settled("b", 5, 50)}, []int64{0, 20}},
		"or more than the limit":                           {20, []Party{change(Party{Published: Share{}, Held: Share{}, Known: Share{"": 30}}, unreachable), settled("b", 0, 50)}, []int64{0, 0}},
		"one that may have heard keeps what it was given":  {20, []Party{change(Party{Published: Share{"": 6}, Held: Share{}, Known: Share{"": 4}, Pending: true}, unreachable), settled("b", 0, 50)}, []int64{6, 14}},
		"what is known does not matter where it is bound":  {20, []Party{change(Party{Published: Share{"": 6}, Held: Share{"": 8}, Known: Share{"": 15}}, unreachable), settled("b", 0, 50)}, []int64{6, 12}},
		"when it is back, it gets what the others left":    {20, []Party{{Published: Share{}, Held: Share{}, Demand: Share{"": 50}}, settled("b", 13, 50)}, []int64{7, 10}},
		"and not before they gave it back, its part":       {20, []Party{{Published: Share{}, Held: Share{}, Demand: Share{"": 50}}, settled("b", 20, 50)}, []int64{0, 10}},
		"of a new limit, all that had none get their part": {20, []Party{{Published: Share{}, Held: Share{}, Demand: Share{"": 50}}, {Published: Share{}, Held: Share{}, Demand: Share{"": 50}, Pending: true}}, []int64{10, 0}},
		"beside what another holds of a limit before":      {10, []Party{{Published: Share{}, Held: Share{"": 6}, Leaving: true, Pending: true}, {Published: Share{}, Held: Share{}, Demand: Share{"": 50}}}, []int64{0, 4}},
		"nothing at all":                                   {0, []Party{settled("a", 2, 5), {Demand: Share{"": 5}}}, []int64{0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []int64
			for i, s := range Divide(Share{"": tt.limit}, tt.parties) {
				if p := tt.parties[i]; p.fixed() {
					require.Equal(t, p.Published, s)
				} else {
					require.Len(t, s, 1)
				}
				got = append(got, s[""])
			}
			require.Equal(t, tt.want, got)
		})
	}
}

func TestDimensionsAreDividedEachForItself(t *testing.T) {
	next := Divide(Share{"": 4, "cpu": 3}, []Party{
		{Published: Share{"": 4, "memory": 1}, Held: Share{"": 4, "memory": 1}, Demand: Share{"": 4, "memory": 3}},
		{Demand: Share{"cpu": 3}},
	})
	require.Equal(t, []Share{{"": 4, "cpu": 0}, {"": 0, "cpu": 0}}, next, "what is not limited any more is nobody's; cpu was unlimited, and is to be bounded first")
	require.Equal(t, []Share{{}, {}}, Divide(nil, make([]Party, 2)))
}

// cluster is a party as it really is: it admits up to what it enforces, sees what it is given late, and is heard of late.
type cluster struct {
	given    []Share // everything it was ever given; the last one is what it is to enforce
	enforced int     // which of them is in force
	used     Share
	demand   Share
	said     []report // on its way to the hub
	heard    report   // the last that arrived
	cut      bool
	gone     bool
	leaves   bool
}

type report struct {
	of    int // which share was in force
	held  Share
	known Share // what it used and waited for
}

// apart says that it gets nothing.
func (c *cluster) apart() bool { return c.gone || c.cut || c.leaves }

// could is what the cluster may have in use before it is told anything else.
func (c *cluster) could(dim string) int64 {
	if c.gone {
		return 0
	}
	n := c.used[dim]
	for _, s := range c.given[c.enforced:] {
		n = max(n, s.of(dim))
	}
	return n
}

func (c *cluster) admit(dim string, amount int64) {
	if wanted := min(c.used[dim]+amount, c.demand[dim]); wanted <= c.given[c.enforced].of(dim) {
		c.used[dim] = max(c.used[dim], wanted)
	}
}

func (c *cluster) report() {
	r := report{of: c.enforced, held: Share{}, known: Share{}}
	for dim, n := range c.used {
		r.known[dim] = max(n, c.demand[dim])
		if of := c.given[c.enforced].of(dim); of != unlimited {
			r.held[dim] = max(of, n)
		}
	}
	c.said = append(c.said, r)
}

func (c *cluster) party(i int) Party {
	return Party{
		Name: fmt.Sprint(i), Published: c.given[len(c.given)-1], Held: c.heard.held, Demand: c.demand, Known: c.heard.known,
		Pending: c.heard.of < len(c.given)-1, Unreachable: c.cut, Gone: c.gone, Leaving: c.leaves,
	}
}

type hub struct {
	limit    Share
	clusters []*cluster
}

// divide says whether anything changed.
func (h *hub) divide() (changed bool) {
	parties := make([]Party, len(h.clusters))
	for i, c := range h.clusters {
		parties[i] = c.party(i)
	}
	for i, next := range Divide(h.limit, parties) {
		if c := h.clusters[i]; !c.gone && !maps.Equal(next, parties[i].Published) {
			c.given = append(c.given, next)
			changed = true
		}
	}
	return changed
}

var dims = []string{"", "cpu"}

func (h *hub) could(dim string) int64 {
	sum := int64(0)
	for _, c := range h.clusters {
		sum = plus(sum, c.could(dim))
	}
	return sum
}

// promised is what the hub counts on: what clusters may have of what they were given, and of one that is not heard of what it keeps. What
// one that had no limit uses without having heard of one is nobody's to promise.
func (h *hub) promised(dim string) int64 {
	sum := int64(0)
	for i, c := range h.clusters {
		n := int64(0)
		p := c.party(i)
		switch could := c.could(dim); {
		case c.gone:
		case c.cut:
			n = p.Keeps(dim)
		case p.Held.of(dim) == unlimited:
			n = bounded(p.Published.of(dim))
		case could < unlimited:
			n = could
		default:
			for _, s := range c.given[c.enforced:] {
				n = max(n, bounded(s.of(dim)))
			}
		}
		sum = plus(sum, n)
	}
	return sum
}

func newHub(t *rapid.T) *hub {
	h := &hub{limit: Share{}}
	for _, dim := range dims {
		h.limit[dim] = rapid.Int64Range(0, 40).Draw(t, "limit")
	}
	for range rapid.IntRange(1, 5).Draw(t, "clusters") {
		none := Share{"": 0, "cpu": 0}
		h.clusters = append(h.clusters, &cluster{
			given: []Share{none}, heard: report{held: none}, used: Share{"": 0, "cpu": 0}, demand: Share{},
		})
	}
	return h
}

// step does one thing that may happen at any time.
func (h *hub) step(t *rapid.T) {
	c := rapid.SampledFrom(h.clusters).Draw(t, "cluster")
	dim := rapid.SampledFrom(dims).Draw(t, "dim")
	amount := rapid.Int64Range(1, 9)
	switch what := rapid.SampledFrom([]string{
		"divide", "divide", "divide", "apply", "apply", "report", "hear", "hear", "admit", "admit", "end", "demand", "cut", "limit", "gone", "leave",
	}).Draw(t, "what"); what {
	case "divide":
		h.divide()
	case "demand":
		c.demand[dim] = rapid.Int64Range(0, 50).Draw(t, "demand")
	case "limit":
		if to := rapid.Int64Range(0, 50).Draw(t, "limit"); to < 45 {
			h.limit[dim] = to
		} else {
			delete(h.limit, dim)
		}
	case "hear": // what is on its way may still arrive when the connection is cut
		if len(c.said) > 0 {
			c.heard, c.said = c.said[0], c.said[1:]
		}
	case "cut":
		c.cut = !c.cut
	case "leave":
		c.leaves = !c.leaves
	case "gone":
		// Somebody says that nothing can run there any more.
		if c.cut && rapid.Bool().Draw(t, "really") {
			c.gone = true
		}
	default:
		if c.gone {
			return
		}
		switch what {
		case "apply": // versions may be skipped; what is read over a bad connection is late
			if !c.cut {
				c.enforced = rapid.IntRange(c.enforced, len(c.given)-1).Draw(t, "version")
			}
		case "report":
			c.report()
		case "admit":
			c.admit(dim, amount.Draw(t, "amount"))
		case "end":
			c.used[dim] = max(c.used[dim]-amount.Draw(t, "amount"), 0)
		}
	}
}

func TestNeverAboveTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHub(t)
		before := map[string]int64{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			for _, dim := range dims {
				before[dim] = h.could(dim)
			}
			h.step(t)
			for _, dim := range dims {
				// A lowered limit is above what is in use for a while; then nothing grows.
				if now, bound := h.could(dim), max(h.limit.of(dim), before[dim]); now > bound {
					t.Fatalf("%q: the clusters may use %d together, limit %d, before %d", dim, now, h.limit.of(dim), before[dim])
				}
			}
		}
	})
}

// Limits come and go while clusters are silent. What the hub gives never makes it promise more than the limit, and everybody has all that is
// not counted with.
func TestALimitThatIsSetWhileAClusterIsSilent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHub(t)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			h.step(t)
			for _, dim := range dims {
				if _, limited := h.limit[dim]; !limited {
					continue
				}
				before := h.promised(dim)
				h.divide()
				if now := h.promised(dim); now > max(h.limit[dim], before) {
					t.Fatalf("%q: %d are promised, limit %d, before %d", dim, now, h.limit[dim], before)
				}
			}
		}
	})
}

// calm lets everybody hear of everything at once, until nothing changes any more.
func (h *hub) calm(t *rapid.T) (rounds int) {
	for {
		for _, c := range h.clusters {
			if c.gone || c.cut {
				continue
			}
			c.enforced = len(c.given) - 1
			for _, dim := range dims {
				c.used[dim] = min(c.used[dim], c.demand[dim])
				if of := c.given[c.enforced].of(dim); c.used[dim] > of {
					c.used[dim] = of // what runs too much ends
				}
				c.admit(dim, min(c.demand[dim], c.given[c.enforced].of(dim))-c.used[dim])
			}
			c.report()
			c.heard, c.said = c.said[len(c.said)-1], nil
		}
		if !h.divide() {
			return rounds
		}
		if rounds++; rounds > 12 {
			t.Fatalf("it does not come to an end")
		}
	}
}

func TestConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHub(t)
		for range rapid.IntRange(0, 100).Draw(t, "steps") {
			h.step(t)
		}
		rounds := h.calm(t)
		if rounds > 4 {
			t.Fatalf("%d rounds", rounds)
		}
		for _, dim := range dims {
			if _, limited := h.limit[dim]; limited {
				h.check(t, dim)
			}
		}
	})
}

// check looks whether a limit is well used.
func (h *hub) check(t *rapid.T, dim string) {
	limit := h.limit[dim]
	given, idle, unmet, count := int64(0), int64(0), int64(0), int64(0)
	fixed := int64(0)
	for _, c := range h.clusters {
		switch {
		case c.gone:
		case c.cut:
			p := c.party(0)
			fixed = plus(fixed, p.Keeps(dim))
		case c.leaves:
			if has := c.given[len(c.given)-1][dim]; has > 0 {
				t.Fatalf("%q: one that leaves has %d", dim, has)
			}
		default:
			count++
			has := c.given[len(c.given)-1][dim]
			given += has
			idle += max(has-c.demand[dim], 0)
			unmet += max(c.demand[dim]-has, 0)
		}
	}
	left := max(limit-fixed, 0)
	if count == 0 {
		return
	}
	if given != left {
		t.Fatalf("%q: %d of %d given", dim, given, left)
	}
	if unmet > 0 && idle > 2*(left/(idlePart*count))*count {
		t.Fatalf("%q: %d idle while %d are missing, of %d", dim, idle, unmet, left)
	}
	for _, c := range h.clusters {
		for _, other := range h.clusters {
			if c.apart() || other.apart() {
				continue
			}
			mine, its := c.given[len(c.given)-1][dim], other.given[len(other.given)-1][dim]
			// Max-min: nobody has less than he demands while another has more than a unit more than he.
			if mine < c.demand[dim] && its > mine+1+left/(idlePart*count) {
				t.Fatalf("%q: one has %d and demands %d, another has %d", dim, mine, c.demand[dim], its)
			}
		}
		if !c.apart() && unmet == 0 && left-h.demanded(dim) >= 2*count && c.given[len(c.given)-1][dim] <= c.demand[dim] {
			t.Fatalf("%q: a cluster has no reserve though there is much", dim)
		}
	}
}

func (h *hub) demanded(dim string) (sum int64) {
	for _, c := range h.clusters {
		if !c.apart() {
			sum += c.demand[dim]
		}
	}
	return sum
}

// Operations that come and end inside the reserve move nothing.
func TestDoesNotFlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHub(t)
		h.limit = Share{"": rapid.Int64Range(100, 1000).Draw(t, "limit")}
		for _, c := range h.clusters {
			c.demand = Share{"": rapid.Int64Range(0, 50/int64(len(h.clusters))).Draw(t, "demand")}
		}
		h.calm(t)
		reserve := (h.limit[""] - h.demanded("")) / int64(len(h.clusters))
		for range 20 {
			for _, c := range h.clusters {
				c.demand[""] += rapid.Int64Range(-1, 1).Draw(t, "change")
				c.demand[""] = max(c.demand[""], 0)
			}
			if reserve > 2*21 && h.divide() {
				t.Fatalf("shares moved")
			}
		}
	})
}

func TestSameAnswerWhateverTheOrderOfDimensions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHub(t)
		for range rapid.IntRange(0, 50).Draw(t, "steps") {
			h.step(t)
		}
		parties := make([]Party, len(h.clusters))
		for i, c := range h.clusters {
			parties[i] = c.party(i)
		}
		want := Divide(h.limit, parties)
		for range 5 {
			require.Equal(t, want, Divide(maps.Clone(h.limit), parties))
		}
	})
}

func BenchmarkDivide(b *testing.B) {
	const agents, tenants = 50, 1000
	limit := Share{"": 2000, "cpu": 4_000_000, "memory": 1 << 44, "nvidia.com/gpu": 512}
	all := make([][]Party, tenants)
	for k := range all {
		for i := range agents {
			p := Party{Name: fmt.Sprint(i), Published: Share{}, Held: Share{}, Demand: Share{}}
			for dim, n := range limit {
				p.Published[dim], p.Held[dim] = n/agents, n/agents
				p.Demand[dim] = n / agents * int64((i*7+k)%5) / 2
			}
			all[k] = append(all[k], p)
		}
	}
	for b.Loop() {
		for k := range all {
			Divide(limit, all[k])
		}
	}
}
