package division

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/limits"
	"github.com/queueyard/queueyard/pkg/shares"
)

func TestGive(t *testing.T) {
	status := &v1alpha1.TenantStatus{Shares: []v1alpha1.AgentShare{{Agent: "east", Share: v1alpha1.Share{Concurrency: ptr.To[int32](6), Revision: 4}}}}
	for name, tt := range map[string]struct {
		agent   string
		there   *v1alpha1.MirrorSpec
		publish bool
		want    v1alpha1.MirrorSpec
	}{
		"its share": {"east", nil, true, v1alpha1.MirrorSpec{
			Project:  &v1alpha1.ProjectSpec{Concurrency: ptr.To[int32](6), Quota: cpuQuota(16)},
			Whole:    ptr.To(limits.ShareOf(shares.Share{limits.Seats: 20, "cpu": 16000})),
			Revision: 4,
		}},
		"nothing yet": {"west", nil, true, v1alpha1.MirrorSpec{
			Project: &v1alpha1.ProjectSpec{Concurrency: ptr.To[int32](0), Quota: cpuQuota(0)},
			Whole:   ptr.To(limits.ShareOf(shares.Share{limits.Seats: 20, "cpu": 16000})),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			spec := v1alpha1.MirrorSpec{Project: &v1alpha1.ProjectSpec{Concurrency: ptr.To[int32](20), Quota: cpuQuota(16)}}
			require.Equal(t, tt.publish, Give(&spec, status.Shares, tt.agent, tt.there))
			require.True(t, equality.Semantic.DeepEqual(tt.want, spec), "%v", spec)
		})
	}
	spec := v1alpha1.MirrorSpec{Project: &v1alpha1.ProjectSpec{}}
	require.True(t, Give(&spec, status.Shares, "east", &v1alpha1.MirrorSpec{Revision: 4}))
	require.False(t, Give(&spec, status.Shares, "east", &v1alpha1.MirrorSpec{Revision: 5}), "what is there is newer")
	unlimited := v1alpha1.MirrorSpec{Organization: &v1alpha1.OrganizationSpec{}}
	require.True(t, Give(&unlimited, nil, "east", nil))
	require.Equal(t, v1alpha1.MirrorSpec{Organization: &v1alpha1.OrganizationSpec{}}, unlimited)
	queue := v1alpha1.MirrorSpec{Queue: &v1alpha1.QueueSpec{Concurrency: ptr.To[int32](3)}}
	require.True(t, Give(&queue, status.Shares, "west", nil))
	require.Zero(t, *queue.Queue.Concurrency, "of a queue that several agents serve, one that has no share yet has nothing")
}
