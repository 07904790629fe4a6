package main

import (
	_ "github.com/open-policy-agent/cert-controller/pkg/rotator"
	_ "github.com/spf13/cobra"
	_ "github.com/virtual-kubelet/virtual-kubelet/node"
	_ "go.etcd.io/etcd/server/v3/embed"
	_ "k8s.io/cli-runtime/pkg/genericclioptions"
	_ "k8s.io/kubernetes/cmd/kube-apiserver/app"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	_ "k8s.io/kubernetes/cmd/kube-scheduler/app"
	_ "pgregory.net/rapid"
	_ "sigs.k8s.io/controller-runtime"
	_ "sigs.k8s.io/kwok/pkg/kwok/cmd"
	_ "sigs.k8s.io/scheduler-plugins/pkg/coscheduling"
	_ "github.com/stretchr/testify/require"
)

func main() {}
