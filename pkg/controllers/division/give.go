package division

import (
	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/limits"
	"github.com/queueyard/queueyard/pkg/shares"
)

// Give writes what an agent is to have of a tenant's limits into its mirror of the tenant. An agent that has no share
// yet gets nothing. It says whether that may be published over the mirror that is there: never what is older.
func Give(spec *v1alpha1.MirrorSpec, given []v1alpha1.AgentShare, agent string, there *v1alpha1.MirrorSpec) bool {
	var concurrency **int32
	var quota **v1alpha1.Quota
	switch {
	case spec.Project != nil:
		concurrency, quota = &spec.Project.Concurrency, &spec.Project.Quota
	case spec.Organization != nil:
		concurrency, quota = &spec.Organization.Concurrency, &spec.Organization.Quota
	case spec.Queue != nil:
		concurrency, quota = &spec.Queue.Concurrency, &spec.Queue.Quota
	default:
		return true
	}
	whole := limits.OfTenant(*concurrency, *quota)
	share, revision := shares.Share{}, int64(0)
	if is := shareOf(&v1alpha1.TenantStatus{Shares: given}, agent); is != nil {
		share, revision = limits.OfShare(&is.Share), is.Revision
	} else {
		for dim := range whole {
			share[dim] = 0
		}
	}
	limits.Give(concurrency, quota, share)
	spec.Whole, spec.Revision = nil, revision
	if len(whole) > 0 {
		s := limits.ShareOf(whole)
		spec.Whole = &s
	}
	return there == nil || revision >= there.Revision
}
