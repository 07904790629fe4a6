// Package curve reads the metrics that an operation prints on its way, and keeps what stopping policies need of
// them: bounded, whatever is printed. It is pure: it is given logs and gives curves.
//
// What an operation prints is a line of its own:
//
//	queueyard {"step": 3, "loss": 0.41, "accuracy": 0.88}
//
// Everything else in its log is passed over.
package curve
