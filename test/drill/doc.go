// Package drill breaks a sandbox in every way that a cluster breaks, one after another, under steady load, while an audit
// watches, and reports what became of the load.
package drill
