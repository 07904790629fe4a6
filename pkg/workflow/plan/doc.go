// Package plan compiles workflows: what of them is wrong (Check), and what they run (Compile): the
// graph of a dag or the trials of a matrix, and of each child the object to be created. It is pure.
package plan
