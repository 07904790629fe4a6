// Package layout says where the files of one sandbox lie.
package layout

import (
	"path/filepath"
)

// Dir is the directory of one sandbox. Everything it owns is below it.
type Dir string

// New returns the layout below path, made absolute so that it survives a change of working directory.
func New(path string) (Dir, error) {
	abs, err := filepath.Abs(path)
	return Dir(abs), err
}

func (d Dir) join(elements ...string) string {
	return filepath.Join(append([]string{string(d)}, elements...)...)
}

// State is the file that marks a directory as a sandbox and remembers its ports.
func (d Dir) State() string { return d.join("sandbox.json") }

// Components is the list of processes the supervisor runs.
func (d Dir) Components() string { return d.join("components.json") }

// Status is what the supervisor reports about them.
func (d Dir) Status() string { return d.join("status.json") }

// Lock is held by the supervisor as long as it lives.
func (d Dir) Lock() string { return d.join("lock") }

// UpLock is held while one sandbox up works.
func (d Dir) UpLock() string { return d.join("up.lock") }

// Kubeconfig is the administrator's.
func (d Dir) Kubeconfig() string { return d.join("kubeconfig") }

// KubeconfigOf is the kubeconfig of one component.
func (d Dir) KubeconfigOf(component string) string {
	return d.join("kubeconfigs", component+".kubeconfig")
}

// PKI holds certificates and keys.
func (d Dir) PKI() string { return d.join("pki") }

// Cert is the certificate file of that name.
func (d Dir) Cert(name string) string { return d.join("pki", name+".crt") }

// Key is the private key file of that name.
func (d Dir) Key(name string) string { return d.join("pki", name+".key") }

// Etcd is etcd's data directory.
func (d Dir) Etcd() string { return d.join("etcd") }

// Logs holds one file per component.
func (d Dir) Logs() string { return d.join("logs") }

// Log is the log file of one component.
func (d Dir) Log(component string) string { return d.join("logs", component+".log") }

// Config is a component's configuration file.
func (d Dir) Config(name string) string { return d.join("config", name) }

// Pods is where the process node keeps the logs and termination messages of its pods.
func (d Dir) Pods() string { return d.join("pods") }
