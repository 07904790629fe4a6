package cli

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/clientcmd"
)

// explain is an error with what to do about it, in a sentence.
func (s *Shell) explain(err error) string {
	if err == nil {
		return ""
	}
	var (
		status   apierrors.APIStatus
		unknown  *meta.NoKindMatchError
		asked    *url.Error
		resolved *net.OpError
	)
	switch {
	case clientcmd.IsEmptyConfig(err):
		return "no cluster is chosen: set KUBECONFIG, or give --kubeconfig or --server"
	case errors.As(err, &unknown):
		return fmt.Sprintf("the cluster%s has no kind %s: Queueyard is not installed there, or another version of it; --context chooses another cluster", s.context(), unknown.GroupKind.Kind)
	case apierrors.IsUnauthorized(err):
		return fmt.Sprintf("the cluster%s does not know who you are: renew the credentials in the kubeconfig", s.context())
	case apierrors.IsForbidden(err) && errors.As(err, &status):
		return err.Error() + forbiddenRemedy(status)
	case errors.As(err, &asked) && errors.As(err, &resolved):
		return fmt.Sprintf("the cluster%s does not answer: %v; --context chooses another cluster", s.context(), asked.Err)
	}
	return err.Error()
}

func (s *Shell) context() string {
	raw, err := s.flags.ToRawKubeConfigLoader().RawConfig()
	name := *s.flags.Context
	if err == nil && name == "" {
		name = raw.CurrentContext
	}
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" of context %q", name)
}

// onlyReads finds the verb in what the API server says.
var onlyReads = regexp.MustCompile(` cannot (get|list|watch) resource `)

// forbiddenRemedy names the role that the cluster's administrators can give. What admission refuses says itself what to do.
func forbiddenRemedy(refused apierrors.APIStatus) string {
	details := refused.Status().Details
	if details == nil {
		return ""
	}
	switch details.Kind {
	case "agents", "queues", "projects", "organizations":
		if onlyReads.MatchString(refused.Status().Message) {
			return "; ClusterRole queueyard-viewer may, given by a ClusterRoleBinding: they belong to no namespace"
		}
		return "; ClusterRole queueyard-admin may"
	case "assignments", "leases":
		return "; ClusterRole queueyard-admin may"
	case "operations", "workflows", "components":
		return "; in its namespace the ClusterRoles view may read and edit may write"
	}
	return ""
}
