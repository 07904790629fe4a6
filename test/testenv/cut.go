package testenv

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// ErrCut is what a client answers that is cut off.
var ErrCut = errors.New("cut off")

// Cut fails the k-th write of a client and all after it, as happens to a process that dies: before the write, or
// after it is done and before anybody hears of it.
type Cut struct {
	mu    sync.Mutex
	left  int
	after bool
	dead  bool
	// Died is closed when it happens.
	Died    chan struct{}
	created map[string]int
}

// NewCut cuts at the k-th write; 0: never.
func NewCut(k int, after bool) *Cut {
	return &Cut{left: k, after: after, Died: make(chan struct{}), created: map[string]int{}}
}

// Created is how often each object was created, by "TYPE NAMESPACE/NAME".
func (c *Cut) Created() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make(map[string]int, len(c.created))
	for name, n := range c.created {
		out[name] = n
	}
	return out
}

// Heal lets writes go through from now on.
func (c *Cut) Heal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead, c.left = false, -1
}

func (c *Cut) write(creates string, do func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return ErrCut
	}
	c.left--
	if c.left == 0 {
		c.dead = true
		defer close(c.Died)
		if !c.after {
			return fmt.Errorf("before a write: %w", ErrCut)
		}
	}
	err := do()
	if err == nil && creates != "" {
		c.created[creates]++
	}
	if c.dead {
		return fmt.Errorf("after a write: %w", ErrCut)
	}
	return err
}

// AtEveryWrite lives through a case again and again, cut before and after each of the writes that it makes, until none
// is left to be cut at. A case that makes no more writes than least is not what it was thought to be.
func AtEveryWrite(t *testing.T, name string, least int, live func(t *testing.T, name string, c *Cut)) {
	t.Helper()
	for side, after := range map[string]bool{"before": false, "after": true} {
		t.Run(name+"-"+side, func(t *testing.T) {
			t.Parallel()
			for k := 1; ; k++ {
				c := NewCut(k, after)
				if !t.Run(strconv.Itoa(k), func(t *testing.T) { live(t, fmt.Sprintf("%s-%s-%d", name, side, k), c) }) {
					return
				}
				select {
				case <-c.Died:
				default:
					assert.Greater(t, k, least, "the writes of %s", name)
					return
				}
			}
		})
	}
}

// Funcs puts it around a client.
func (c *Cut) Funcs() interceptor.Funcs {
	return interceptor.Funcs{
		Create: func(ctx context.Context, w client.WithWatch, o client.Object, options ...client.CreateOption) error {
			return c.write(fmt.Sprintf("%T %s/%s", o, o.GetNamespace(), o.GetName()), func() error { return w.Create(ctx, o, options...) })
		},
		Delete: func(ctx context.Context, w client.WithWatch, o client.Object, options ...client.DeleteOption) error {
			return c.write("", func() error { return w.Delete(ctx, o, options...) })
		},
		Patch: func(ctx context.Context, w client.WithWatch, o client.Object, p client.Patch, options ...client.PatchOption) error {
			return c.write("", func() error { return w.Patch(ctx, o, p, options...) })
		},
		SubResourceUpdate: func(ctx context.Context, w client.Client, sub string, o client.Object, options ...client.SubResourceUpdateOption) error {
			return c.write("", func() error { return w.SubResource(sub).Update(ctx, o, options...) })
		},
	}
}
