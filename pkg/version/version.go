// Package version holds what a binary was built from.
package version

// version is set by the linker.
var version = "v0.0.0-unreleased"

// String is the version of this build of Queueyard.
func String() string { return version }
