// Package tenancy decides which queue an object gets and whether it may use it.
//
// It is pure: what exists is asked of a Directory, and the same questions get the same answers.
// The webhook refuses with its sentences; the scheduler holds with the same ones what reaches it
// unstamped.
package tenancy
