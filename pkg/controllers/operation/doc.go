// Package operation runs operations: it makes the pods, Jobs and objects of their attempts, follows
// them to their end and writes down what became of them. What is to be done is decided by
// pkg/operation; who has pods, by pkg/lookahead.
package operation
