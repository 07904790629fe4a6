package hub

import (
	"sync"
	"time"
)

// lastLooks keeps looks at an agent apart: its counts change all the time.
type lastLooks struct {
	mu sync.Mutex
	at map[string]time.Time
}

// soon is how long it is until an agent may be looked at again; 0: it is being looked at now.
func (l *lastLooks) soon(agent string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at == nil {
		l.at = map[string]time.Time{}
	}
	if wait := l.at[agent].Add(pause).Sub(now); wait > 0 && wait <= pause {
		return wait
	}
	l.at[agent] = now
	return 0
}
