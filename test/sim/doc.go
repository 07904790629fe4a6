// Package sim plays a load against the ledger in virtual time.
//
// The ledger is the one the scheduler runs; around it everything is imagined: operations arrive from
// streams or from a recorded trace, run as soon as they are admitted, and end. Nodes are not
// simulated: what is admitted always finds one. A simulation counts for itself what each limit
// holds, so that it also witnesses that none is exceeded.
package sim
