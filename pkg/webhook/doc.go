// Package webhook puts managed namespaces under admission: pods and Jobs get their queue, project
// and scheduler, and what would walk around a queue is refused. It is thin: package tenancy decides.
package webhook
