// Package harness is what the benchmarks of a cluster share: a sandbox, meters for its processes and its
// API server, and a recorder of what a watch shows.
package harness
