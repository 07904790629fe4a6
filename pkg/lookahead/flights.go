package lookahead

import (
	"github.com/queueyard/queueyard/pkg/ledger"
)

// flights are the operations of workflows, and which of them are in flight: released to their queues and
// not at their end. A second ledger decides that, in which every tree of workflows is a queue without limits.
//
// What is not released is in no line of the first ledger, so that it keeps nobody there from going on.
type flights struct {
	ledger    *ledger.Ledger
	open      bool
	workflows map[string]*workflow
	trees     map[string]*tree              // by the workflow at their root
	ops       map[string]*flight            // by UID
	missing   map[string]map[string]*flight // those that wait for a workflow to be known, by its name and their UID
	released  []string                      // since news were last taken
}

type flight struct {
	op       ledger.Pod // as it waits for its release
	root     string     // of its tree, empty while that is not known
	lacks    string     // the workflow that is not known
	inFlight bool
	near     bool
}

type tree struct {
	ops  int
	near map[string]bool
}

// workflow is one that is known, or that is gone and still named.
type workflow struct {
	parent string
	known  bool
	named  int // by operations and workflows below it
}

const everyTree = "trees" // the agent of the queues

func newFlights() *flights {
	f := &flights{
		ledger: ledger.New(), workflows: map[string]*workflow{}, trees: map[string]*tree{},
		ops: map[string]*flight{}, missing: map[string]map[string]*flight{},
	}
	f.ledger.SetAgent(everyTree, ledger.Limits{Seats: ledger.Unlimited})
	return f
}

// set makes a workflow known, or changes it.
func (f *flights) set(name, parent string, seats int64) {
	w := f.name(name)
	if w.known && w.parent != parent {
		f.unname(w.parent)
		w.parent = ""
	}
	if parent != "" && w.parent == "" {
		f.name(parent).named++
	}
	w.known, w.parent = true, parent
	f.ledger.SetWorkflow(name, parent, ledger.Limits{Seats: seats})
	waited := f.missing[name]
	delete(f.missing, name)
	for uid, o := range waited {
		o.lacks = ""
		f.enter(uid, o)
	}
	f.admit()
}

// delete forgets a workflow. While something below it is left, its limit holds.
func (f *flights) delete(name string) {
	if w := f.workflows[name]; w != nil && w.known {
		w.known = false
		f.drop(name, w)
	}
}

func (f *flights) name(name string) *workflow {
	w := f.workflows[name]
	if w == nil {
		w = &workflow{}
		f.workflows[name] = w
	}
	return w
}

func (f *flights) unname(name string) {
	if w := f.workflows[name]; w != nil {
		w.named--
		f.drop(name, w)
	}
}

func (f *flights) drop(name string, w *workflow) {
	if w.known || w.named > 0 {
		return
	}
	delete(f.workflows, name)
	f.ledger.DeleteWorkflow(name)
	if w.parent != "" {
		f.unname(w.parent)
	}
}

// maxDepth bounds how far up a workflow is followed.
const maxDepth = 100

// rootOf is the workflow at the root of one, or one on the way that is not known. Of what is gone, it is
// remembered where it was.
func (f *flights) rootOf(name string) (root, missing string) {
	for range maxDepth {
		w := f.workflows[name]
		if w == nil || !w.known && w.parent == "" {
			return "", name
		}
		if w.parent == "" {
			return name, ""
		}
		name = w.parent
	}
	return "", name
}

// put enters an operation that is to be released, or is in flight already: it stays so until it leaves.
func (f *flights) put(op ledger.Pod, inFlight bool) *flight {
	op = ledger.Pod{UID: op.UID, Operation: op.UID, Workflow: op.Workflow, Priority: op.Priority, Created: op.Created}
	o := f.ops[op.UID]
	if o != nil && o.op.Workflow != op.Workflow {
		f.leave(op.UID)
		o = nil
	}
	if o == nil {
		o = &flight{}
		f.ops[op.UID] = o
		f.name(op.Workflow).named++
	} else if o.inFlight || !inFlight && o.op.Priority == op.Priority && o.op.Created == op.Created {
		return o
	}
	if o.near {
		f.setNear(op.UID, o, !inFlight)
	}
	o.op, o.inFlight = op, inFlight
	if o.lacks == "" {
		f.enter(op.UID, o)
		f.admit()
	}
	return o
}

// enter puts an operation in the line of its tree.
func (f *flights) enter(uid string, o *flight) {
	if o.root == "" {
		if o.root, o.lacks = f.rootOf(o.op.Workflow); o.root == "" {
			if f.missing[o.lacks] == nil {
				f.missing[o.lacks] = map[string]*flight{}
			}
			f.missing[o.lacks][uid] = o
			return
		}
		t := f.trees[o.root]
		if t == nil {
			t = &tree{near: map[string]bool{}}
			f.trees[o.root] = t
			f.ledger.SetQueue(o.root, ledger.QueueConfig{Agent: everyTree, Limits: ledger.Limits{Seats: ledger.Unlimited}})
		}
		t.ops++
	}
	o.op.Queue = o.root
	if o.inFlight {
		f.ledger.Charge(o.op)
	} else {
		f.ledger.Enter(o.op)
	}
}

func (f *flights) leave(uid string) {
	o := f.ops[uid]
	if o == nil {
		return
	}
	delete(f.ops, uid)
	if o.lacks != "" {
		if delete(f.missing[o.lacks], uid); len(f.missing[o.lacks]) == 0 {
			delete(f.missing, o.lacks)
		}
	}
	f.ledger.Remove(uid)
	if t := f.trees[o.root]; t != nil {
		delete(t.near, uid)
		if t.ops--; t.ops == 0 {
			delete(f.trees, o.root)
			f.ledger.DeleteQueue(o.root)
		}
	}
	f.unname(o.op.Workflow)
	f.admit()
}

// admit releases whoever there is room for.
func (f *flights) admit() {
	for more := f.open; more; {
		admitted := f.ledger.Admit(batch)
		for _, a := range admitted {
			o := f.ops[a.UID]
			o.inFlight = true
			f.setNear(a.UID, o, false)
			f.released = append(f.released, a.UID)
		}
		more = len(admitted) == batch
	}
}

func (f *flights) setNear(uid string, o *flight, near bool) {
	o.near = near
	if near {
		f.trees[o.root].near[uid] = true
	} else {
		delete(f.trees[o.root].near, uid)
	}
}

// news are those that have been released, come near to it or are no longer near.
func (f *flights) news() []string {
	news := f.released
	f.released = nil
	if !f.open {
		return news
	}
	changed, _ := f.ledger.Changed()
	for _, root := range changed {
		t := f.trees[root]
		if t == nil {
			continue
		}
		front := f.ledger.Front(root, 2*ahead)
		for _, uid := range front[:min(len(front), ahead)] {
			if o := f.ops[uid]; !o.near {
				f.setNear(uid, o, true)
				news = append(news, uid)
			}
		}
		if len(t.near) <= maxAhead {
			continue
		}
		kept := map[string]bool{}
		for _, uid := range front {
			kept[uid] = true
		}
		for uid := range t.near {
			if !kept[uid] {
				f.setNear(uid, f.ops[uid], false)
				news = append(news, uid)
			}
		}
	}
	return news
}
