package flow

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	"github.com/queueyard/queueyard/pkg/timeline"
	"github.com/queueyard/queueyard/pkg/workflow/family"
	"github.com/queueyard/queueyard/pkg/workflow/plan"
)

// RowKind says what a row of the chart stands for.
type RowKind string

// The kinds of rows.
const (
	OperationRow RowKind = "operation"
	WorkflowRow  RowKind = "workflow"
	// GroupRow stands for siblings.
	GroupRow RowKind = "group"
	// StepRow is a step of a dag that does not exist yet.
	StepRow RowKind = "step"
	// MoreRow says how many rows were left out.
	MoreRow RowKind = "more"
)

// Row is a line of the chart of a workflow.
type Row struct {
	// ID is the same whenever the row is there.
	ID    string  `json:"id"`
	Kind  RowKind `json:"kind"`
	Depth int     `json:"depth"`
	// Title is the step, or the trial, or what the group is of.
	Title string `json:"title"`
	// Name of the object, in the namespace of the workflow.
	Name    string          `json:"name,omitempty"`
	Status  v1alpha1.Status `json:"status,omitempty"`
	Message string          `json:"message,omitempty"`
	Spans   []Span          `json:"spans,omitempty"`
	// Counts of the children of a workflow, or of the members of a group; Load is what its operations did over time.
	Counts *Counts `json:"counts,omitempty"`
	Load   *Load   `json:"load,omitempty"`
	// Openable rows have others below them, which are there if it is Open.
	Openable bool `json:"openable,omitempty"`
	Open     bool `json:"open,omitempty"`
}

const (
	// ungrouped is how many trials, and how many steps of a dag, are shown one by one unless more is asked for.
	ungroupedTrials, ungroupedSteps = 8, 40
	// shownProblems is how many members of a closed group are shown all the same, because something is wrong with them.
	shownProblems = 5
	// openDepth is down to where nested workflows are open unless the reader closes them.
	openDepth = 1
	// maxRows bounds the rows of a page: beyond, the list of operations serves better.
	maxRows = 5000
)

// Folds are the rows that the reader has opened or closed, by their ID.
type Folds map[string]bool

// chart draws a workflow and what is in it, row by row.
type chart struct {
	*family.Family
	shapes func(*v1alpha1.Workflow) *Shape
	folds  Folds
	rows   []Row
	hidden int
}

func (c *chart) isOpen(id string, otherwise bool) bool {
	if open, is := c.folds[id]; is {
		return open
	}
	return otherwise
}

func (c *chart) add(r Row) {
	if len(c.rows) >= maxRows {
		c.hidden++
		return
	}
	c.rows = append(c.rows, r)
}

// place is a child, or a step of a dag for which there is none yet.
type place struct {
	family.Member
	waits *Node
}

// inside draws what is in a workflow, in the order of the places.
func (c *chart) inside(w *v1alpha1.Workflow, depth int) {
	shape, children := c.shapes(w), c.Children(w)
	if shape.Matrix != nil {
		c.siblings(w, places(children, nil), depth, group{"trials", max(w.Status.Children.Total, -1), ungroupedTrials, func(family.Member) bool { return true }})
		return
	}
	nodes := shape.stand(family.Latest(children))
	c.siblings(w, places(children, nodes), depth, group{"steps that are done", 0, ungroupedSteps, func(o family.Member) bool {
		phase := stateOf(o.Object).phase
		return phase == v1alpha1.StatusSucceeded || phase == v1alpha1.StatusSkipped
	}})
}

func places(children []family.Member, nodes []Node) []place {
	out := make([]place, 0, len(children)+len(nodes))
	for _, o := range children {
		out = append(out, place{Member: o})
	}
	for i := range nodes {
		if n := &nodes[i]; n.Name == "" {
			at := int64(i)
			if n.AtEnd {
				at = plan.ExitIndex
			}
			out = append(out, place{family.Member{Index: at, Step: n.Step}, n})
		}
	}
	slices.SortStableFunc(out, func(a, b place) int { return cmp.Compare(a.Index, b.Index) })
	return out
}

// group is which siblings are put into one row, if there are many.
type group struct {
	title   string
	total   int64 // that there will be; -1: not known
	most    int
	belongs func(family.Member) bool
}

func (c *chart) siblings(w *v1alpha1.Workflow, all []place, depth int, g group) {
	var members []family.Member
	for _, p := range all {
		if p.waits == nil && p.Index < family.Unplaced && g.belongs(p.Member) {
			members = append(members, p.Member)
		}
	}
	grouped := len(members) > g.most
	if grouped {
		c.group(w, members, depth, g)
	}
	for _, p := range all {
		switch {
		case p.waits != nil:
			c.add(Row{ID: string(w.UID) + "/" + p.Step, Kind: StepRow, Depth: depth, Title: p.Step, Message: p.waits.Message})
		case !grouped || p.Index >= family.Unplaced || !g.belongs(p.Member):
			c.row(p.Member, depth)
		}
	}
}

// group draws siblings as one row, and behind it those of them that the reader wants to see, or should.
func (c *chart) group(w *v1alpha1.Workflow, members []family.Member, depth int, g group) {
	counts, last := Counts{}, family.Latest(members)
	for _, o := range last {
		counts.add(stateOf(o.Object).phase)
	}
	if counts.Total = g.total; g.total >= 0 {
		counts.Total = max(g.total, int64(len(last)))
	}
	id, load := string(w.UID)+"/group", loadOf(c.Operations(members))
	open := c.isOpen(id, false)
	c.add(Row{ID: id, Kind: GroupRow, Depth: depth, Title: g.title, Counts: &counts, Load: &load, Openable: true, Open: open})
	if !open {
		c.problems(id, members, depth+1)
		return
	}
	for _, o := range members {
		c.row(o, depth+1)
	}
}

// problems are those members of a closed group that somebody should look at.
func (c *chart) problems(id string, members []family.Member, depth int) {
	shown := 0
	for _, o := range members {
		switch stateOf(o.Object).phase {
		case v1alpha1.StatusFailed, v1alpha1.StatusWarning, v1alpha1.StatusOnSchedule, v1alpha1.StatusUnknown:
			if shown++; shown <= shownProblems {
				c.row(o, depth)
			}
		}
	}
	if shown > shownProblems {
		c.add(Row{ID: id + "/more", Kind: MoreRow, Depth: depth, Title: fmt.Sprintf("%d more failed or need attention: open the group", shown-shownProblems)})
	}
}

func (c *chart) row(o family.Member, depth int) {
	s := stateOf(o.Object)
	r := Row{ID: string(o.GetUID()), Depth: depth, Title: titleOf(o), Name: o.GetName(), Status: s.phase, Message: messageOf(o.Object), Spans: spansOf(s.timeline), Kind: OperationRow}
	w, nested := o.Object.(*v1alpha1.Workflow)
	if nested {
		counts := CountsOf(w.Status.Children)
		r.Kind, r.Counts = WorkflowRow, &counts
		r.Openable = len(c.Children(w)) > 0
		r.Open = r.Openable && c.isOpen(r.ID, depth < openDepth)
	}
	c.add(r)
	if r.Open {
		c.inside(w, depth+1)
	}
}

// said is what an entry says beside its status.
func said(e v1alpha1.TimelineEntry) string {
	if e.Message == "" && !strings.EqualFold(e.Reason, string(e.Status)) {
		return e.Reason
	}
	return e.Message
}

// titleOf is what a child is called among its siblings.
func titleOf(o family.Member) string {
	title := o.Step
	switch {
	case title == "" && o.GetLabels()[v1alpha1.IterationLabel] != "":
		title = "suggest " + o.GetLabels()[v1alpha1.IterationLabel]
	case title == "" && o.Index < family.Unplaced:
		title = fmt.Sprint("trial ", o.Index)
	case title == "":
		title = o.GetName()
	}
	if o.Attempt > 1 {
		title += fmt.Sprintf(", attempt %d", o.Attempt)
	}
	return title
}

// messageOf is why something stands where it stands: what its gates say while it waits, else its last entry.
func messageOf(o client.Object) string {
	var waits *metav1.Condition
	switch o := o.(type) {
	case *v1alpha1.Operation:
		waits = meta.FindStatusCondition(o.Status.Conditions, v1alpha1.WaitingCondition)
	case *v1alpha1.Workflow:
		waits = meta.FindStatusCondition(o.Status.Conditions, v1alpha1.ProgressingCondition)
	}
	if waits != nil && waits.Status == metav1.ConditionFalse {
		return waits.Message
	}
	return said(timeline.Last(stateOf(o).timeline))
}
