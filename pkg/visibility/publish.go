package visibility

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"
	"k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"
	"k8s.io/utils/ptr"

	"github.com/queueyard/queueyard/pkg/apis/visibility/v1alpha1"
)

// publishPeriod is how often what is published is looked at, and repaired.
const publishPeriod = 5 * time.Second

// manager is the value of the label that says who keeps an EndpointSlice.
const manager = "queueyard-scheduler"

var apiServiceName = v1alpha1.GroupVersion.Version + "." + v1alpha1.GroupVersion.Group

// +kubebuilder:rbac:groups=apiregistration.k8s.io,resources=apiservices,resourceNames=v1alpha1.visibility.queueyard.io,verbs=get;patch
// +kubebuilder:rbac:groups="",namespace=queueyard-system,resources=services,resourceNames=queueyard-visibility,verbs=get
// +kubebuilder:rbac:groups=discovery.k8s.io,namespace=queueyard-system,resources=endpointslices,verbs=create
// +kubebuilder:rbac:groups=discovery.k8s.io,namespace=queueyard-system,resources=endpointslices,resourceNames=queueyard-visibility,verbs=get;update;delete

// Publish makes this process the one that the API server asks, until ctx ends. The leader does so: what
// others would say is not what is decided.
func (s *Server) Publish(ctx context.Context, client kubernetes.Interface, aggregator clientset.Interface) {
	p := &publisher{s, client, aggregator}
	last := ""
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		err := p.publish(ctx)
		switch {
		case err == nil:
			last = ""
		case err.Error() != last: // a missing installation is told once, not every five seconds
			last = err.Error()
			klog.FromContext(ctx).Error(err, "Cannot publish; tried again", "api", v1alpha1.GroupVersion)
		}
	}, publishPeriod)
}

type publisher struct {
	server     *Server
	client     kubernetes.Interface
	aggregator clientset.Interface
}

func (p *publisher) publish(ctx context.Context) error {
	api, err := p.aggregator.ApiregistrationV1().APIServices().Get(ctx, apiServiceName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("APIService %s is not installed; apply manifests/install/visibility.yaml", apiServiceName)
	}
	if err != nil {
		return err
	}
	ref := api.Spec.Service
	if ref == nil {
		return fmt.Errorf("APIService %s names no Service; apply manifests/install/visibility.yaml", apiServiceName)
	}
	service, err := p.client.CoreV1().Services(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	port := ptr.Deref(ref.Port, 0)
	if service.Spec.Type == corev1.ServiceTypeExternalName {
		// Such a Service has no endpoints: the API server calls the name at the port of the APIService.
		port = int32(p.server.Port())
	} else if err := p.ensureEndpoints(ctx, service); err != nil {
		return err
	}
	roots, err := p.server.certificate.roots(ref.Name+"."+ref.Namespace+".svc", time.Now())
	if err != nil {
		return err
	}
	if !bytes.Equal(api.Spec.CABundle, roots) || port != ptr.Deref(ref.Port, 0) {
		patch, err := json.Marshal(map[string]any{"spec": map[string]any{"caBundle": roots, "service": map[string]any{"port": port}}})
		if err != nil {
			return err
		}
		_, err = p.aggregator.ApiregistrationV1().APIServices().Patch(ctx, apiServiceName, types.MergePatchType, patch, metav1.PatchOptions{})
		if err != nil {
			return err
		}
		klog.FromContext(ctx).Info("Published", "api", v1alpha1.GroupVersion, "port", p.server.Port())
		return nil
	}
	p.server.certificate.exchange() // what is trusted since the look before
	return nil
}

// ensureEndpoints makes this process the only endpoint of a Service that selects no pods.
func (p *publisher) ensureEndpoints(ctx context.Context, service *corev1.Service) error {
	if len(service.Spec.Ports) == 0 {
		return fmt.Errorf("Service %s/%s has no port; apply manifests/install/visibility.yaml", service.Namespace, service.Name)
	}
	want, err := p.endpoints(service)
	if err != nil {
		return err
	}
	slices := p.client.DiscoveryV1().EndpointSlices(service.Namespace)
	have, err := slices.Get(ctx, want.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		_, err = slices.Create(ctx, want, metav1.CreateOptions{})
		return err
	case err != nil:
		return err
	case have.AddressType != want.AddressType: // it can't be changed
		if err := slices.Delete(ctx, have.Name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(have.UID))}); err != nil {
			return err
		}
		_, err = slices.Create(ctx, want, metav1.CreateOptions{})
		return err
	case equality.Semantic.DeepEqual(have.Endpoints, want.Endpoints) && equality.Semantic.DeepEqual(have.Ports, want.Ports):
		return nil
	}
	have = have.DeepCopy()
	have.Endpoints, have.Ports, have.Labels = want.Endpoints, want.Ports, want.Labels
	_, err = slices.Update(ctx, have, metav1.UpdateOptions{})
	return err
}

func (p *publisher) endpoints(service *corev1.Service) (*discoveryv1.EndpointSlice, error) {
	ip, err := p.server.options.advertised()
	if err != nil {
		return nil, err
	}
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       service.Namespace,
			Name:            service.Name,
			Labels:          map[string]string{discoveryv1.LabelServiceName: service.Name, discoveryv1.LabelManagedBy: manager},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Service", Name: service.Name, UID: service.UID}},
		},
		AddressType: addressType(ip),
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{ip.String()}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)}}},
		Ports: []discoveryv1.EndpointPort{{
			Name: ptr.To(service.Spec.Ports[0].Name), Port: ptr.To(int32(p.server.Port())), Protocol: ptr.To(corev1.ProtocolTCP),
		}},
	}, nil
}

func addressType(ip net.IP) discoveryv1.AddressType {
	if ip.To4() == nil {
		return discoveryv1.AddressTypeIPv6
	}
	return discoveryv1.AddressTypeIPv4
}
