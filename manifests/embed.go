// Package manifests carries what is installed in a cluster, so that a program can install it without the source tree.
package manifests

import "embed"

// Install holds the manifests of Queueyard itself.
//
//go:embed install
var Install embed.FS
