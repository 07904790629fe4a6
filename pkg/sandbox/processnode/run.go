// Package processnode is a node that runs the containers of its pods as processes of this machine. Images are
// ignored; everything else a pod says about its commands, environment, restarts and end is honoured as a kubelet does.
package processnode

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/virtual-kubelet/virtual-kubelet/node"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/record"

	"github.com/queueyard/queueyard/pkg/sandbox/cluster"
	"github.com/queueyard/queueyard/pkg/sandbox/layout"
)

// Name of the node.
const Name = cluster.ProcessNode

const (
	leaseSeconds = 40
	pingInterval = 10 * time.Second
)

// Options say where the node keeps its files and listens.
type Options struct {
	Dir layout.Dir
	// Port is where the API server asks for logs.
	Port int
	// WorkDir is the working directory of containers that name none.
	WorkDir string
}

// Run is the node until the context ends; then it ends its pods.
func Run(ctx context.Context, o Options) error {
	if err := killOrphans(o.Dir); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", o.Dir.KubeconfigOf(cluster.ProcessNode))
	if err != nil {
		return err
	}
	config.QPS, config.Burst = -1, -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", cluster.Loopback(o.Port))
	if err != nil {
		return fmt.Errorf("port for logs: %w", err)
	}
	self, err := newNode(o.Port)
	if err != nil {
		return err
	}
	nodes, err := node.NewNodeController(node.NewNaiveNodeProvider(), self, client.CoreV1().Nodes(),
		node.WithNodeEnableLeaseV1(client.CoordinationV1().Leases(corev1.NamespaceNodeLease), leaseSeconds),
		node.WithNodePingInterval(pingInterval))
	if err != nil {
		return err
	}

	events := record.NewBroadcaster()
	defer events.Shutdown()
	events.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events("")})
	pods := newManager(client, events.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "process-node", Host: Name}), o)
	server, err := newServer(o.Dir, pods)
	if err != nil {
		return err
	}

	// The node must still report the end of its pods after it was told to stop.
	parts, partsCtx := errgroup.WithContext(context.WithoutCancel(ctx))
	partsCtx, stopParts := context.WithCancel(partsCtx)
	defer stopParts()
	parts.Go(func() error { return nodes.Run(partsCtx) })
	parts.Go(func() error {
		if err := server.ServeTLS(listener, "", ""); err != http.ErrServerClosed {
			return err
		}
		return nil
	})
	parts.Go(func() error { return watchPods(partsCtx, client, pods) })

	select {
	case <-ctx.Done():
		log.Print("stopping: ending all pods")
		pods.shutDown()
	case <-partsCtx.Done():
	}
	stopParts()
	_ = server.Close()
	return parts.Wait()
}

func watchPods(ctx context.Context, client kubernetes.Interface, pods *manager) error {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", Name).String()
	}))
	informer := factory.Core().V1().Pods().Informer()
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { pods.observe(o.(*corev1.Pod)) },
		UpdateFunc: func(_, o any) { pods.observe(o.(*corev1.Pod)) },
		DeleteFunc: func(o any) {
			if unknown, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = unknown.Obj
			}
			if pod, ok := o.(*corev1.Pod); ok {
				pods.forget(pod)
			}
		},
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	if cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		if err := pods.removeLeftOver(informer.GetStore().List()); err != nil {
			return err
		}
	}
	<-ctx.Done()
	factory.Shutdown()
	return nil
}
