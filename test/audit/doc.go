// Package audit watches a cluster from outside and reports every moment at which the promises
// about queues and workflows were broken.
//
// It knows only what the API server shows, and shares no code with the scheduler it judges. The
// core (Auditor) is a state machine fed with events; Watch feeds it from a live cluster.
//
// The judgements are made to be free of false alarms: what two watches may show in either order,
// and what an admitted pod that has no node yet may hold unseen, is given the benefit of the doubt.
// What pods say of room that is held for them is believed while they lack room in fact.
package audit
