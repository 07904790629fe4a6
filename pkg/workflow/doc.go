// Package workflow decides how a workflow goes on: which node of a DAG may start now, which never
// will, how the whole ends, when to stop early and what to run again. It is pure: no clients, no
// clock; the same statuses get the same answer.
//
// # Graphs
//
// A [Graph] has nodes in the order of their declaration, each with the names of the nodes it depends
// on. [NewGraph] refuses unknown and repeated names, nodes that depend on themselves, and cycles.
// Its order is topological; of nodes that could come next, the one declared first does.
//
// # Triggers
//
// A node waits until its trigger is decided by the statuses of its upstreams:
//
//	trigger         met as soon as                    never met as soon as
//	all_succeeded   all succeeded                     one failed or stopped
//	all_failed      all failed                        one succeeded or stopped
//	all_done        all are done                      -
//	one_succeeded   one succeeded                     all are done and none succeeded
//	one_failed      one failed                        all are done and none failed
//	one_done        one is done                       -
//
// "Succeeded" is succeeded or skipped; "failed" is failed or upstream_failed; a stopped upstream is
// done, and neither. A node without upstreams has its trigger met from the start. What three upstreams
// make of each trigger is written out in testdata/triggers.md.
//
// A node whose trigger is met starts, unless its condition ([When]) is false: then it is skipped. A
// node whose trigger cannot be met any more becomes upstream_failed. With skipOnUpstreamSkip a node is
// skipped as soon as one of its upstreams is, whatever its trigger says.
//
// A decision stands: what was decided is not taken back when further upstreams end. So a node that
// both fails early and would have been skipped later is upstream_failed; seen at the same time, the
// skip goes first.
//
// # Going on
//
// [Progress] holds the statuses of a running DAG. Tell it what changed ([Progress.Set]), ask it what
// follows ([Progress.Advance]): a change costs its dependents, not the DAG. [Advance] computes the same
// from all statuses at once, for a caller that remembers nothing. Either way one call goes all the way:
// what is skipped or upstream_failed is passed on to what depends on it. A node that is to start is
// handed out as Active once; a caller that could not start it and lost its memory gets it again,
// because its status is still pending.
//
// # The end
//
// A DAG is over when all its nodes are. It failed if a node failed or is upstream_failed. Else it is
// stopped if a node is stopped and none succeeded (skipped ones have no say). Else it succeeded: so
// stopped and succeeded nodes together make a success. See [Counts.Outcome].
//
// [StopEarly] ends one before: with success when a metric reached its value, with failure when too
// many children failed.
//
// # Again
//
// [Rerun] says what to run again to repair a DAG that is over: what failed or was stopped, and what was
// decided by it. The rest is kept.
//
// # Nesting
//
// [CheckTemplates] follows templates that use each other by name, refuses those that would include
// themselves without end, and counts what one workflow would become.
package workflow
