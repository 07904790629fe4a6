// Package operation decides what becomes of an operation. It is pure: what is seen of the object
// that an attempt runs as (Observe*) and what the operation says make a decision (Decide): a new
// status and at most one action. A controller writes the status first and acts then, so that a
// decision that was cut short is made again.
package operation
