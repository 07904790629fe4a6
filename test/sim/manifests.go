package sim

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	yamlstream "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Plan is the objects that bound a simulation, by name.
type Plan struct {
	Agents        map[string]*v1alpha1.Agent
	Queues        map[string]*v1alpha1.Queue
	Projects      map[string]*v1alpha1.Project
	Organizations map[string]*v1alpha1.Organization
	// Unsimulated is fields that are set and have no effect on a simulation.
	Unsimulated []string
}

// NewPlan is a plan without objects.
func NewPlan() *Plan {
	return &Plan{
		Agents:        map[string]*v1alpha1.Agent{},
		Queues:        map[string]*v1alpha1.Queue{},
		Projects:      map[string]*v1alpha1.Project{},
		Organizations: map[string]*v1alpha1.Organization{},
	}
}

// Read adds the objects of a YAML or JSON file as kubectl would apply it. Objects that bound nothing
// (namespaces, Jobs) are passed over. Errors name the document.
func (p *Plan) Read(r io.Reader) error {
	documents := yamlstream.NewYAMLReader(bufio.NewReader(r))
	for n := 1; ; n++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = p.add(document)
		}
		if err != nil {
			return fmt.Errorf("document %d: %w", n, err)
		}
	}
}

func (p *Plan) add(document []byte) error {
	var object struct {
		metav1.TypeMeta
		Items []json.RawMessage
	}
	if err := yaml.Unmarshal(document, &object); err != nil {
		return err
	}
	if object.APIVersion == "v1" && object.Kind == "List" {
		for i, item := range object.Items {
			if err := p.add(item); err != nil {
				return fmt.Errorf("item %d: %w", i+1, err)
			}
		}
		return nil
	}
	if object.APIVersion != v1alpha1.GroupVersion.String() {
		return nil
	}
	var err error
	switch object.Kind {
	case "Agent":
		err = addObject(document, p.Agents, &v1alpha1.Agent{}, validateAgent)
	case "Queue":
		err = addObject(document, p.Queues, &v1alpha1.Queue{}, validateQueue)
	case "Project":
		err = addObject(document, p.Projects, &v1alpha1.Project{}, validateProject)
	case "Organization":
		err = addObject(document, p.Organizations, &v1alpha1.Organization{}, validateOrganization)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	return p.noteUnsimulated(document)
}

func addObject[T interface {
	comparable
	metav1.Object
}](document []byte, to map[string]T, object T, validate func(T) error) error {
	if err := yaml.UnmarshalStrict(document, object); err != nil {
		return err
	}
	name := object.GetName()
	switch {
	case name == "":
		return errors.New("metadata.name is missing")
	case to[name] != *new(T):
		return fmt.Errorf("%s is given twice: keep one of the two", name)
	}
	if err := validate(object); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	to[name] = object
	return nil
}
