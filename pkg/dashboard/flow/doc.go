// Package flow makes what the dashboard shows of workflows and sweeps from their objects. It is pure: no clients, and
// the clock is given.
package flow
