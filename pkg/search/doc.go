// Package search says which trials a hyperparameter search makes: given sets (mapping), every combination (grid), or values
// drawn at random. A trial is a function of (specification, seed, index) alone, so that a search goes on after a restart as if
// nothing had happened, and the same on every machine: random numbers come from an own generator (stream.go), logarithms and
// powers from big floats (real.go), and what people write in decimals stays exact (number.go).
package search
