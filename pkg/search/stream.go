package search

import (
	"math"
	"math/bits"

	"github.com/queueyard/queueyard/pkg/search/elementary"
)

// stream is a sequence of random numbers: SplitMix64 (Steele, Lea and Flood, 2014). It is integer arithmetic
// throughout, and floats are made from it by operations that IEEE 754 defines to the last bit. Products that
// are added to something are converted to float64 first: Go may otherwise fuse the two on some architectures.
type stream struct{ state uint64 }

const golden = 0x9e3779b97f4a7c15

// mix scatters the bits of x.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// newStream is the stream of one parameter of one trial. Other trials and other parameters have streams of
// their own: more of them change nothing.
func newStream(seed int64, param string, trial int64) stream {
	return stream{mix(mix(mix(uint64(seed)+golden)^fnv(param)) + uint64(trial)*golden)}
}

// fnv is the 64-bit FNV-1a hash of a name.
func fnv(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

func (s *stream) next() uint64 {
	s.state += golden
	return mix(s.state)
}

// float is uniform in [0, 1), a multiple of 2^-53.
func (s *stream) float() float64 { return float64(s.next()>>11) / (1 << 53) }

// below is uniform in [0, n), without bias (Lemire, 2019).
func (s *stream) below(n uint64) uint64 {
	for {
		high, low := bits.Mul64(s.next(), n)
		if low >= -n%n {
			return high
		}
	}
}

// normal is standard normal, by Marsaglia's polar method. It is never beyond maxNormal.
func (s *stream) normal() float64 {
	for {
		u, v := 2*s.float()-1, 2*s.float()-1
		r := float64(u*u) + float64(v*v)
		if r >= 1 || r == 0 {
			continue
		}
		l := nearest(log(real(r)))
		return float64(u * math.Sqrt(float64(-2*l)/r))
	}
}

// gauss is standard normal, too, without the last digits and much faster.
func (s *stream) gauss() float64 {
	for {
		u, v := 2*s.float()-1, 2*s.float()-1
		r := float64(u*u) + float64(v*v)
		if r < 1 && r > 0 {
			return float64(u * math.Sqrt(float64(-2*elementary.Log(r))/r))
		}
	}
}

// oneOf is a place in weights, each as likely as it is heavy.
func (s *stream) oneOf(weights []float64) int {
	total := 0.0
	for _, w := range weights {
		total += w
	}
	u := float64(s.float() * total)
	for i, w := range weights {
		if u -= w; u < 0 {
			return i
		}
	}
	return len(weights) - 1
}

// maxNormal bounds normal: the smallest r is 2^-104 and |u| at most √r.
const maxNormal = 12.1

// permutation is a fixed order of the numbers below n, computed place by place: a Feistel network over a
// power of four above n, walked until it comes back below n.
type permutation struct {
	n    uint64
	half uint // bits
	keys [8]uint64
}

func newPermutation(seed int64, n int64) permutation {
	// A network of few bits knows few permutations.
	p := permutation{n: uint64(n), half: max(4, uint(bits.Len64(uint64(n-1))+1)/2)}
	s := newStream(seed, "", 0)
	for i := range p.keys {
		p.keys[i] = s.next()
	}
	return p
}

// at is the number at a place.
func (p permutation) at(place int64) int64 {
	x := uint64(place)
	mask := uint64(1)<<p.half - 1
	for {
		left, right := x>>p.half, x&mask
		for _, key := range p.keys {
			left, right = right, left^mix(right+key)&mask
		}
		if x = left<<p.half | right; x < p.n {
			return int64(x)
		}
	}
}
