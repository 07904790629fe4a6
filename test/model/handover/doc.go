// Package handover explores the protocol by which operations are handed over to agents in other clusters
// (docs/agents.md) exhaustively: every order of every write, with caches that lag, processes that die between any two
// writes, messages that are lost, a worker that is set back to a backup, and one that is evicted.
//
// It is a model, written from the protocol and not from the code: what it finds possible in the protocol is possible
// whatever the code does right.
package handover
