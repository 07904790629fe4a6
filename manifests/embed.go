// Package manifests carries what is installed in a cluster, so that a program can install it without the source tree.
package manifests

import "embed"

// Install holds the manifests of Queueyard itself.
//
//go:embed install
var Install embed.FS

// AgentWorker is for the cluster of an agent, beside Install.
//
//go:embed agent/worker-rbac.yaml
var AgentWorker []byte
