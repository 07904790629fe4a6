package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWithStockProfile(t *testing.T) {
	got, err := withStockProfile([]byte(`
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: queueyard-scheduler
  plugins:
    queueSort: {enabled: [{name: QueueOrder}], disabled: [{name: "*"}]}
    multiPoint: {enabled: [{name: QueueGate}]}
`))
	require.NoError(t, err)
	require.YAMLEq(t, `
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: queueyard-scheduler
  plugins:
    queueSort: {enabled: [{name: QueueOrder}], disabled: [{name: "*"}]}
    multiPoint: {enabled: [{name: QueueGate}]}
- schedulerName: stock
  plugins:
    queueSort: {enabled: [{name: QueueOrder}], disabled: [{name: "*"}]}
`, string(got))

	_, err = withStockProfile([]byte("profiles: []"))
	require.Error(t, err)
	_, err = withStockProfile([]byte("profiles: [{schedulerName: x}]"))
	require.Error(t, err)
}
