package visibility

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/spf13/pflag"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// Options say where the API is served.
type Options struct {
	// Enabled says whether it is served at all.
	Enabled bool
	// BindAddress and Port are what is listened on. Port 0 is any free one.
	BindAddress net.IP
	Port        int
	// AdvertiseAddress is where the API server reaches this process. Unset: the bind address, or where that
	// is unspecified the address of the machine's or the pod's default route.
	AdvertiseAddress net.IP
}

// NewOptions are the defaults.
func NewOptions() *Options {
	return &Options{Enabled: true, BindAddress: net.IPv4zero, Port: 10269}
}

// AddFlags adds the options to a command's flags.
func (o *Options) AddFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&o.Enabled, "visibility", o.Enabled,
		"Serve visibility.queueyard.io, the aggregated API that says who waits and why.")
	flags.IPVar(&o.BindAddress, "visibility-bind-address", o.BindAddress, "The address on which visibility.queueyard.io is served.")
	flags.IntVar(&o.Port, "visibility-port", o.Port, "The port on which visibility.queueyard.io is served, with authentication and authorization. 0: any free port.")
	flags.IPVar(&o.AdvertiseAddress, "visibility-advertise-address", o.AdvertiseAddress,
		"The address at which the API server reaches visibility.queueyard.io while this process leads. Unset: the bind address, "+
			"or where that is unspecified the address of the default route, which in a pod is the pod's.")
}

// Validate checks the options.
func (o *Options) Validate() error {
	if o.Port < 0 || o.Port > 65535 {
		return fmt.Errorf("--visibility-port is %d; it must be from 0 to 65535", o.Port)
	}
	if o.BindAddress == nil {
		return errors.New("--visibility-bind-address must be an IP address")
	}
	return nil
}

func (o *Options) listen() (net.Listener, error) {
	return net.Listen("tcp", net.JoinHostPort(o.BindAddress.String(), strconv.Itoa(o.Port)))
}

// advertised is the address at which others reach the process.
func (o *Options) advertised() (net.IP, error) {
	switch {
	case o.AdvertiseAddress != nil:
		return o.AdvertiseAddress, nil
	case !o.BindAddress.IsUnspecified():
		return o.BindAddress, nil
	}
	ip, err := utilnet.ChooseHostInterface()
	if err != nil {
		return nil, fmt.Errorf("no address to advertise found, give --visibility-advertise-address: %w", err)
	}
	return ip, nil
}
