package cluster

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are taken from below the range that the kernel gives to outgoing connections, so that a port which is free
// now is not taken by a connection before its program starts.
const (
	firstPort = 20000
	lastPort  = 32000
	portTries = 200
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
	for try := range portTries {
		port := wanted
		if port == 0 || try > 0 {
			port = firstPort + rand.IntN(lastPort-firstPort)
		}
		if l, err := net.Listen("tcp", Loopback(port)); err == nil {
			return l, nil
		}
	}
	return nil, errors.New("no free loopback port found between " + strconv.Itoa(firstPort) + " and " + strconv.Itoa(lastPort))
}

// Loopback is the address of a port on this machine.
func Loopback(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
