// Package search says which trials a hyperparameter search makes.
//
// What it suggests is a function of (specification, seed, observations) alone, so that a search goes on after a restart as if
// nothing had happened. Mapping, grid and random know every trial by its index ([Indexed]). Hyperband and ASHA number their trials so
// that the index says which configuration runs with how much of the resource. Bayes, TPE and anneal make each trial from what
// came of those before (sequential.go), which they see as points of a cube (cube.go). Iterative follows what an operation of
// the user answers.
//
// It is also the same on every machine: random numbers come from an own generator (stream.go), logarithms and powers from big
// floats (real.go) or from package elementary, and what people write in decimals stays exact (number.go). Only the
// Gaussian process of Bayes needs linear algebra whose last digits differ between architectures: so it decides on lattices that are
// too coarse for them.
package search
