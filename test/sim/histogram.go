package sim

import (
	"math"
	"math/bits"
	"time"
)

// histogram counts durations, each to within 1 part in 128 or a microsecond, whichever is more: its
// size does not grow with how many there are.
type histogram struct {
	counts []uint64
	total  uint64
	sum    float64 // seconds
	max    time.Duration
}

// Up to 256 microseconds each has a bucket of its own; above, each doubling has 128 buckets.
const perDoubling = 128

func bucketOf(microseconds uint64) int {
	if microseconds < 2*perDoubling {
		return int(microseconds)
	}
	shift := bits.Len64(microseconds) - 8
	return shift*perDoubling + int(microseconds>>shift)
}

// upper is the largest number of microseconds that belongs into a bucket.
func upper(bucket int) uint64 {
	if bucket < 2*perDoubling {
		return uint64(bucket)
	}
	shift := bucket/perDoubling - 1
	return uint64(bucket-shift*perDoubling+1)<<shift - 1
}

func (h *histogram) add(d time.Duration) {
	b := bucketOf(uint64(d.Microseconds()))
	for b >= len(h.counts) {
		h.counts = append(h.counts, 0)
	}
	h.counts[b]++
	h.total++
	h.sum += d.Seconds()
	h.max = max(h.max, d)
}

func (h *histogram) merge(other *histogram) {
	for len(h.counts) < len(other.counts) {
		h.counts = append(h.counts, 0)
	}
	for b, n := range other.counts {
		h.counts[b] += n
	}
	h.total += other.total
	h.sum += other.sum
	h.max = max(h.max, other.max)
}

// quantile is the least duration that a share of all does not exceed, rounded up to its bucket's end.
func (h *histogram) quantile(share float64) time.Duration {
	rank := uint64(math.Ceil(share * float64(h.total)))
	seen := uint64(0)
	for b, n := range h.counts {
		if seen += n; n > 0 && seen >= rank {
			return min(time.Duration(upper(b))*time.Microsecond, h.max)
		}
	}
	return h.max
}
