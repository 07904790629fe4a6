// Package hub keeps what agents in other clusters need at the hub: it tells them what they serve, listens whether they are
// there, and gives up what an evicted one had.
package hub
