package ledger

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"testing"

	"golang.org/x/sys/unix"
)

// line is a ledger with pods that wait, spread evenly over queues with a concurrency of their own.
type line struct {
	queues, waiting int
	seats           int64 // of each queue
	agentSeats      int64
	vectors         int // distinct requests
}

func (n line) pods() []Pod {
	shuffled := rand.New(rand.NewPCG(1, 2)).Perm(n.waiting)
	pods := make([]Pod, n.waiting)
	for i := range pods {
		pods[i] = n.pod(i, int64(shuffled[i]))
	}
	return pods
}

func (n line) pod(i int, created int64) Pod {
	p := Pod{
		UID:       fmt.Sprintf("0b1c5f6e-93a4-4f57-8a1d-%012d", i),
		Operation: fmt.Sprintf("team/train-%d", i),
		Queue:     fmt.Sprintf("queue-%d", i%n.queues),
		Project:   fmt.Sprintf("project-%d", i%n.queues%10),
		Created:   created,
		Requests:  map[string]int64{"cpu": 1000, "memory": 1 << 30},
	}
	if n.vectors > 1 {
		p.Requests["cpu"] = int64(1000 + i%n.vectors)
	}
	return p
}

func (n line) configure(l *Ledger) {
	l.SetAgent("default", Limits{Seats: n.agentSeats})
	l.SetOrganization("lab", Limits{Seats: Unlimited, Resources: map[string]int64{"cpu": 1 << 50}})
	for i := range min(10, n.queues) {
		l.SetProject(fmt.Sprintf("project-%d", i), "lab", Limits{Seats: Unlimited, Resources: map[string]int64{"cpu": 1 << 50, "memory": 1 << 60}})
	}
	for i := range n.queues {
		l.SetQueue(fmt.Sprintf("queue-%d", i), n.queue())
	}
}

func (n line) queue() QueueConfig {
	return QueueConfig{Agent: "default", Level: 1, Limits: Limits{Seats: n.seats, Resources: map[string]int64{"cpu": 1 << 50}}}
}

func (n line) fill(pods []Pod) *Ledger {
	l := New()
	n.configure(l)
	for _, p := range pods {
		l.Enter(p)
	}
	return l
}

func (n line) String() string { return fmt.Sprintf("queues=%d/waiting=%d", n.queues, n.waiting) }

func lines(b *testing.B, run func(b *testing.B, n line)) {
	for _, queues := range []int{1, 100, 1000} {
		for _, waiting := range []int{1_000, 10_000, 100_000, 1_000_000} {
			n := line{queues: queues, waiting: waiting, seats: Unlimited, agentSeats: Unlimited}
			b.Run(n.String(), func(b *testing.B) { run(b, n) })
		}
	}
}

// BenchmarkAdmit empties a full line: one operation of the benchmark is one admission.
func BenchmarkAdmit(b *testing.B) {
	lines(b, func(b *testing.B, n line) {
		pods := n.pods()
		l := n.fill(pods)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		b.ReportAllocs()
		b.ResetTimer()
		cpu := -threadTime()
		for done := 0; done < b.N; {
			admitted := l.Admit(min(b.N-done, 256))
			done += len(admitted)
			if len(admitted) == 0 {
				cpu += threadTime()
				b.StopTimer()
				l = n.fill(pods)
				runtime.GC()
				b.StartTimer()
				cpu -= threadTime()
			}
		}
		cpu += threadTime()
		b.ReportMetric(float64(cpu)/float64(b.N), "cpu-ns/op")
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "admissions/s")
	})
}

// BenchmarkComplete is what a running line does all day: a pod ends and the next one of its full queue
// is admitted.
func BenchmarkComplete(b *testing.B) {
	lines(b, func(b *testing.B, n line) {
		n.seats, n.agentSeats = 10, max(int64(n.queues)*10, 10)
		complete(b, n)
	})
}

// BenchmarkCompleteSharedAgent has queues that wait for the seats of one full agent.
func BenchmarkCompleteSharedAgent(b *testing.B) {
	for _, queues := range []int{1, 100, 1000} {
		n := line{queues: queues, waiting: 100_000, seats: Unlimited, agentSeats: 50}
		b.Run(n.String(), func(b *testing.B) { complete(b, n) })
	}
}

// BenchmarkCompleteDiverse has one queue, full by its quota, whose pods ask for different things.
func BenchmarkCompleteDiverse(b *testing.B) {
	for _, vectors := range []int{1, 100, 10_000} {
		n := line{queues: 1, waiting: 100_000, seats: Unlimited, agentSeats: Unlimited, vectors: vectors}
		b.Run(fmt.Sprintf("vectors=%d", vectors), func(b *testing.B) {
			l := n.fill(n.pods())
			c := n.queue()
			c.Limits.Resources["cpu"] = 50 * 10_000
			l.SetQueue("queue-0", c)
			turnover(b, l, n)
		})
	}
}

func complete(b *testing.B, n line) { turnover(b, n.fill(n.pods()), n) }

// turnover ends pods in the order of their admission. The line is topped up off the clock. cpu-ns/op is the
// time of the processor, which others that want it do not make longer. Nothing is collected meanwhile:
// marking a million pods, by this thread or another, is not the cost of a completion.
func turnover(b *testing.B, l *Ledger, n line) {
	const batch = 1024
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	running := l.Admit(0)
	next := n.waiting
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	b.ReportAllocs()
	b.ResetTimer()
	cpu := -threadTime()
	for i := range b.N {
		if i%batch == 0 {
			cpu += threadTime()
			b.StopTimer()
			for range batch {
				l.Enter(n.pod(next, int64(next)))
				next++
			}
			b.StartTimer()
			cpu -= threadTime()
		}
		at := i % len(running)
		l.Remove(running[at].UID)
		if admitted := l.Admit(0); len(admitted) > 0 {
			running[at] = admitted[0]
			running = append(running, admitted[1:]...)
		}
	}
	cpu += threadTime()
	b.ReportMetric(float64(cpu)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "completions/s")
}

// threadTime is the time that the processor gave to this thread, in nanoseconds.
func threadTime() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return t.Nano()
}

// BenchmarkMemory measures what a waiting pod costs, its strings included.
func BenchmarkMemory(b *testing.B) {
	lines(b, func(b *testing.B, n line) {
		var before, after runtime.MemStats
		for range b.N {
			runtime.GC()
			runtime.ReadMemStats(&before)
			l := New()
			n.configure(l)
			order := rand.New(rand.NewPCG(1, 2)).Perm(n.waiting)
			for i := range n.waiting {
				l.Enter(n.pod(i, int64(order[i])))
			}
			order = nil
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric((float64(after.HeapAlloc)-float64(before.HeapAlloc))/float64(n.waiting), "bytes/pod")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n.waiting), "ns/enter")
			runtime.KeepAlive(l)
		}
	})
}

// BenchmarkExplain asks for the explanation of a pod in the middle of a line.
func BenchmarkExplain(b *testing.B) {
	lines(b, func(b *testing.B, n line) {
		n.seats = 1
		pods := n.pods()
		l := n.fill(pods)
		l.Admit(0)
		b.ResetTimer()
		for i := range b.N {
			l.Explain(pods[i%len(pods)].UID)
		}
	})
}

// BenchmarkFarMemory is what the ledger waits for when it comes to a pod that nothing led to before: a read
// at random of as much memory as so many pods take, which no other read can go before.
func BenchmarkFarMemory(b *testing.B) {
	const podBytes, lineBytes = 450, 64
	for _, pods := range []int{1_000, 10_000, 1_000_000} {
		b.Run(fmt.Sprintf("pods=%d", pods), func(b *testing.B) {
			memory := make([]struct {
				next int32
				_    [lineBytes - 4]byte
			}, pods*podBytes/lineBytes)
			order := rand.New(rand.NewPCG(1, 2)).Perm(len(memory))
			for i, at := range order {
				memory[at].next = int32(order[(i+1)%len(order)])
			}
			at := int32(0)
			b.ResetTimer()
			cpu := -threadTime()
			for range b.N {
				at = memory[at].next
			}
			cpu += threadTime()
			b.ReportMetric(float64(cpu)/float64(b.N), "cpu-ns/op")
			runtime.KeepAlive(at)
		})
	}
}
