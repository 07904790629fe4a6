package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// Ports are taken from below the range that the kernel gives to outgoing connections, so that a port which is free
// now is not taken by a connection before its program starts.
const (
	firstPort = 20000
	lastPort  = 32000
	portTries = 200
)

// A port of the run before may be held for a moment by a program that is dying. Clients know it: it is worth a wait.
const (
	portPatience = 5 * time.Second
	portInterval = 50 * time.Millisecond
)

// choosePorts gives each pointer a free loopback port, keeping the one it holds if that is still free.
func choosePorts(ports ...*int) error {
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	for _, port := range ports {
		l, err := listenNear(*port)
		if err != nil {
			return err
		}
		held = append(held, l)
		*port = l.Addr().(*net.TCPAddr).Port
	}
	return nil
}

func listenNear(wanted int) (net.Listener, error) {
	if wanted != 0 {
		var kept net.Listener
		err := wait.PollUntilContextTimeout(context.Background(), portInterval, portPatience, true, func(context.Context) (bool, error) {
			var err error
			kept, err = net.Listen("tcp", Loopback(wanted))
			return err == nil, nil
		})
		if err == nil {
			return kept, nil
		}
	}
	for range portTries {
		if l, err := net.Listen("tcp", Loopback(firstPort+rand.IntN(lastPort-firstPort))); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("no free loopback port found between %d and %d", firstPort, lastPort)
}

// Loopback is the address of a port on this machine.
func Loopback(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
