// Package expression renders {{ expressions }} in manifests and evaluates conditions, both in CEL.
//
// It is pure. What can be known before anything runs (names, types) is an error of Compile, so that
// admission refuses it; what only values can show is an error of Render. docs/expressions.md is the
// description for users.
package expression
