package harness

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseInside(t *testing.T) {
	got := parseInside([]byte(`# HELP go_memstats_next_gc_bytes Number of heap bytes when next garbage collection will take place.
go_memstats_next_gc_bytes 4.194304e+06
go_memstats_next_gc_bytes_other 1
rest_client_requests_total{code="200",host="127.0.0.1:1",method="GET"} 7
rest_client_requests_total{code="409",host="127.0.0.1:1",method="PUT"} 2
rest_client_requests_total{code="200",host="127.0.0.1:1",method="PUT"} 3
rest_client_requests_total{code="201",host="127.0.0.1:1",method="POST"} 1
rest_client_requests_total{code="200",host="127.0.0.1:1",method="POST"} 4
`))
	require.Equal(t, Inside{Heap: 2, Requests: map[string]float64{"GET": 7, "PUT": 3, "POST": 5}}, got)
}
