// Package agent lets a cluster serve queues of another one, the hub. It claims the hub's assignments, runs a copy of each as
// an operation of this cluster and tells the hub what became of it; and it keeps the agents, queues, projects and
// organizations here as the hub's mirrors have them. docs/agents.md is the protocol.
package agent
