package dashboard

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/tenancy"
)

// tenantsView is who shares the queues.
type tenantsView struct {
	Organizations []organizationRow `json:"organizations"`
	Projects      []projectRow      `json:"projects"`
	Notes         []string          `json:"notes,omitempty"`
}

type tenantRow struct {
	Name string `json:"name"`
	// DefaultQueue of what names none, and DefaultFrom whose it is: the project's, its organization's or the cluster's.
	DefaultQueue string  `json:"defaultQueue"`
	DefaultFrom  string  `json:"defaultFrom"`
	Admitted     int32   `json:"admitted"`
	Meters       []meter `json:"meters"`
	Problem      string  `json:"problem,omitempty"`
	// Withheld says who keeps what of its limits.
	Withheld string                `json:"withheld,omitempty"`
	Shares   []v1alpha1.AgentShare `json:"shares,omitempty"`
}

type organizationRow struct {
	tenantRow
	Projects []string `json:"projects"`
}

type projectRow struct {
	tenantRow
	Organization string `json:"organization,omitempty"`
	// AllowedQueues are names and globs, empty: all; Queues those that exist of them.
	AllowedQueues []string `json:"allowedQueues"`
	Queues        []string `json:"queues"`
	// Namespaces are those whose operations may belong to it, as far as they are named; Selector is the other way to say it.
	Namespaces []string `json:"namespaces"`
	Selector   string   `json:"selector,omitempty"`
	// Selected are the namespaces that the selector chooses. Unset: the visitor may not see namespaces.
	Selected []string `json:"selected,omitempty"`
}

func tenantRowOf(name string, status *v1alpha1.TenantStatus, concurrency *int32, quota *v1alpha1.Quota) tenantRow {
	t := tenantRow{Name: name, Admitted: status.Admitted, Withheld: status.Withheld, Shares: status.Shares, Meters: meters(status.Admitted, concurrency, status.Usage, status.CostRate, quota, status.Budget)}
	t.Problem = problemOf(status.Conditions)
	return t
}

// problemOf is what the Ready condition says when it is False.
func problemOf(conditions []metav1.Condition) string {
	if c := meta.FindStatusCondition(conditions, v1alpha1.ReadyCondition); c != nil && c.Status == metav1.ConditionFalse {
		return cmp.Or(c.Message, c.Reason)
	}
	return ""
}

func (s *Server) tenants(c *call) (any, error) {
	view := &tenantsView{Organizations: []organizationRow{}, Projects: []projectRow{}}
	projects, err := objects[*v1alpha1.Project](c.Context(), c.visitor, projectKind, "")
	if err != nil {
		return nil, err
	}
	organizations, err := objects[*v1alpha1.Organization](c.Context(), c.visitor, organizationKind, "")
	if err != nil {
		return nil, err
	}
	queues, err := seen[*v1alpha1.Queue](c, queueKind, &view.Notes)
	if err != nil {
		return nil, err
	}
	namespaces, err := seenNamespaces(c)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(projects, byName)
	slices.SortFunc(organizations, byName)
	slices.SortFunc(queues, byName)
	of := map[string]*v1alpha1.Organization{}
	for _, o := range organizations {
		of[o.Name] = o
		row := organizationRow{tenantRow: tenantRowOf(o.Name, &o.Status, o.Spec.Concurrency, o.Spec.Quota), Projects: []string{}}
		row.DefaultQueue, row.DefaultFrom = o.Spec.DefaultQueue, "its own"
		if row.DefaultQueue == "" {
			row.DefaultQueue, row.DefaultFrom = v1alpha1.DefaultName, "of the cluster"
		}
		for _, p := range projects {
			if p.Spec.Organization == o.Name {
				row.Projects = append(row.Projects, p.Name)
			}
		}
		view.Organizations = append(view.Organizations, row)
	}
	for _, p := range projects {
		view.Projects = append(view.Projects, projectRowOf(p, of[p.Spec.Organization], queues, namespaces))
	}
	return view, nil
}

func byName[T client.Object](a, b T) int { return cmp.Compare(a.GetName(), b.GetName()) }

func projectRowOf(p *v1alpha1.Project, organization *v1alpha1.Organization, queues []*v1alpha1.Queue, namespaces []*corev1.Namespace) projectRow {
	row := projectRow{tenantRow: tenantRowOf(p.Name, &p.Status, p.Spec.Concurrency, p.Spec.Quota), Organization: p.Spec.Organization,
		AllowedQueues: append([]string{}, p.Spec.AllowedQueues...), Queues: []string{}, Namespaces: append([]string{}, p.Spec.Namespaces.Names...)}
	switch {
	case p.Spec.DefaultQueue != "":
		row.DefaultQueue, row.DefaultFrom = p.Spec.DefaultQueue, "its own"
	case organization != nil && organization.Spec.DefaultQueue != "":
		row.DefaultQueue, row.DefaultFrom = organization.Spec.DefaultQueue, "of organization "+organization.Name
	default:
		row.DefaultQueue, row.DefaultFrom = v1alpha1.DefaultName, "of the cluster"
	}
	for _, q := range queues {
		if tenancy.Allowed(p.Spec.AllowedQueues, q.Name) {
			row.Queues = append(row.Queues, q.Name)
		}
	}
	if selector := p.Spec.Namespaces.Selector; selector != nil {
		row.Selector = cmp.Or(metav1.FormatLabelSelector(selector), "all")
		for _, n := range namespaces {
			if tenancy.ClaimsNamespace(p, n.Name, n.Labels) {
				row.Selected = append(row.Selected, n.Name)
			}
		}
	}
	return row
}

// namespaceKind are the namespaces, with their labels.
var namespaceKind = &kind{resource: "namespaces", object: func() client.Object { return &corev1.Namespace{} }, list: func() client.ObjectList { return &corev1.NamespaceList{} }}

// seenNamespaces are none where the visitor may not list them.
func seenNamespaces(c *call) ([]*corev1.Namespace, error) {
	var unseen []string
	namespaces, err := seen[*corev1.Namespace](c, namespaceKind, &unseen)
	slices.SortFunc(namespaces, byName)
	return namespaces, err
}

// namespaces are the names to choose from; those of managed ones first.
func (s *Server) namespaces(c *call) (any, error) {
	list, err := seenNamespaces(c)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, n := range list {
		names = append(names, n.Name)
	}
	return map[string]any{"items": names}, nil
}

// agentsView is where queues are served.
type agentsView struct {
	Items []agentRow `json:"items"`
	// Withheld are the limits of which agents that are not heard of keep a part.
	Withheld []withheld `json:"withheld"`
	Notes    []string   `json:"notes,omitempty"`
}

// withheld says who keeps what of the limits of a queue, project or organization.
type withheld struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	Says string `json:"says"`
}

// agentRow is an agent.
type agentRow struct {
	Name      string `json:"name"`
	Remote    bool   `json:"remote"`
	State     string `json:"state"`
	Problem   string `json:"problem,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	// Levels divide its seats, from the top.
	Levels      []v1alpha1.LevelStatus `json:"levels"`
	Admitted    int32                  `json:"admitted"`
	Pending     int32                  `json:"pending"`
	Meters      []meter                `json:"meters"`
	Queues      []string               `json:"queues"`
	LastContact *metav1.MicroTime      `json:"lastContact,omitempty"`
	Report      *v1alpha1.AgentReport  `json:"report,omitempty"`
	Prices      map[string]string      `json:"prices,omitempty"`
	Created     metav1.Time            `json:"created"`
}

func (s *Server) agents(c *call) (any, error) {
	agents, err := objects[*v1alpha1.Agent](c.Context(), c.visitor, agentKind, "")
	if err != nil {
		return nil, err
	}
	view := &agentsView{Items: []agentRow{}, Withheld: []withheld{}}
	queues, err := seen[*v1alpha1.Queue](c, queueKind, &view.Notes)
	if err != nil {
		return nil, err
	}
	projects, err := seen[*v1alpha1.Project](c, projectKind, &view.Notes)
	if err != nil {
		return nil, err
	}
	organizations, err := seen[*v1alpha1.Organization](c, organizationKind, &view.Notes)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(agents, byName)
	slices.SortFunc(queues, byName)
	slices.SortFunc(projects, byName)
	slices.SortFunc(organizations, byName)
	note := func(kind, name, says string) {
		if says != "" {
			view.Withheld = append(view.Withheld, withheld{kind, name, says})
		}
	}
	for _, q := range queues {
		note("queue", q.Name, q.Status.Withheld)
	}
	for _, p := range projects {
		note("project", p.Name, p.Status.Withheld)
	}
	for _, o := range organizations {
		note("organization", o.Name, o.Status.Withheld)
	}
	for _, a := range agents {
		row := agentRow{Name: a.Name, Remote: a.Spec.Remote, State: string(cmp.Or(a.Spec.State, v1alpha1.AgentOpen)), Problem: problemOf(a.Status.Conditions), Namespace: a.Spec.Namespace,
			Levels: append([]v1alpha1.LevelStatus{}, a.Status.Levels...), Admitted: a.Status.Admitted, Pending: a.Status.Pending, Meters: []meter{seats(a.Status.Admitted, a.Spec.Concurrency)},
			Queues: []string{}, LastContact: a.Status.LastContact, Report: a.Status.Report, Created: a.CreationTimestamp}
		if a.DeletionTimestamp != nil {
			row.State = "Deleting"
		}
		for _, q := range queues {
			if tenancy.InfoOf(q).Serves(a.Name) {
				row.Queues = append(row.Queues, q.Name)
			}
		}
		for name, price := range a.Spec.Prices {
			if row.Prices == nil {
				row.Prices = map[string]string{}
			}
			row.Prices[string(name)] = price.String()
		}
		view.Items = append(view.Items, row)
	}
	return view, nil
}
