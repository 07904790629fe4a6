package harness

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseWrites(t *testing.T) {
	got := parseWrites([]byte(`# HELP apiserver_request_total Counter of requests
apiserver_request_total{code="201",component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="",verb="POST",version="v1"} 10
apiserver_request_total{code="201",component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="binding",verb="POST",version="v1"} 9
apiserver_request_total{code="409",component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="binding",verb="POST",version="v1"} 3
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="pods",scope="cluster",subresource="",verb="LIST",version="v1"} 7
apiserver_request_total{code="200",component="apiserver",dry_run="",group="coordination.k8s.io",resource="leases",scope="resource",subresource="",verb="PUT",version="v1"} 70
apiserver_request_total{code="201",component="apiserver",dry_run="",group="authorization.k8s.io",resource="subjectaccessreviews",scope="resource",subresource="",verb="POST",version="v1"} 70
other_total{verb="POST"} 5
`))
	require.Equal(t, map[string]float64{"POST pods": 10, "POST pods/binding": 9}, got)

	each, sum := Each(map[string]float64{"POST pods": 4}, got, 3)
	require.Equal(t, map[string]float64{"POST pods": 2, "POST pods/binding": 3}, each)
	require.Equal(t, 5.0, sum)
}

func TestParseTraffic(t *testing.T) {
	require.Equal(t, Traffic{Requests: 20, Writes: 13, Watches: 5}, parseTraffic([]byte(`# HELP apiserver_request_total Counter of requests
apiserver_request_total{code="201",component="apiserver",resource="pods",verb="POST"} 10
apiserver_request_total{code="409",component="apiserver",resource="leases",verb="PUT"} 3
apiserver_request_total{code="200",component="apiserver",resource="pods",verb="LIST"} 7
apiserver_request_total{code="0",component="apiserver",resource="pods",verb="WATCH"} 90
apiserver_longrunning_requests{component="apiserver",resource="pods",verb="WATCH"} 4
apiserver_longrunning_requests{component="apiserver",resource="queues",verb="WATCH"} 1
apiserver_longrunning_requests{component="apiserver",resource="pods",verb="CONNECT"} 2
`)))
}
