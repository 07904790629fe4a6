package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
	queueyard "github.com/queueyard/queueyard/pkg/client"
)

// none takes a limit away.
const none = "none"

// limitFlags are the limits that queues, projects and organizations have in common.
type limitFlags struct {
	concurrency int32
	quota       []string
	cost        string
	budget      string
	changed     func(string) bool
}

func (l *limitFlags) addTo(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Int32Var(&l.concurrency, "concurrency", v1alpha1.Unlimited, "how many operations may be admitted at a time; -1 is unlimited, 0 admits none")
	flags.StringArrayVar(&l.quota, "quota", nil, "RESOURCE=AMOUNT that admitted operations may ask for together; RESOURCE=none takes it away; may be given again")
	flags.StringVar(&l.cost, "cost", "", "what admitted operations may cost together per hour; none takes it away")
	flags.StringVar(&l.budget, "budget", "", "AMOUNT/WINDOW, such as 1000/month, that admitted operations may cost; none takes it away")
	l.changed = flags.Changed
}

// limitNames are the flags above.
var limitNames = []string{"concurrency", "quota", "cost", "budget"}

// given says whether any of some flags was.
func given(cmd *cobra.Command, flags ...string) bool {
	return slices.ContainsFunc(flags, cmd.Flags().Changed)
}

// set writes what the flags say into limits.
func (l *limitFlags) set(concurrency **int32, quota **v1alpha1.Quota) error {
	if l.changed("concurrency") {
		n := l.concurrency
		*concurrency = &n
	}
	q := v1alpha1.Quota{}
	if *quota != nil {
		q = *(*quota).DeepCopy()
	}
	for _, text := range l.quota {
		name, amount, ok := strings.Cut(text, "=")
		if !ok || name == "" || amount == "" {
			return fmt.Errorf("--quota %q: write RESOURCE=AMOUNT, such as nvidia.com/gpu=8", text)
		}
		if amount == none {
			delete(q.Resources, corev1.ResourceName(name))
			continue
		}
		value, err := resource.ParseQuantity(amount)
		if err != nil {
			return fmt.Errorf("--quota %q: %q is no amount: write a number such as 8, 500m or 64Gi", text, amount)
		}
		if q.Resources == nil {
			q.Resources = map[corev1.ResourceName]resource.Quantity{}
		}
		q.Resources[corev1.ResourceName(name)] = value
	}
	switch {
	case l.cost == none:
		q.Cost = nil
	case l.changed("cost"):
		value, err := resource.ParseQuantity(l.cost)
		if err != nil {
			return fmt.Errorf("--cost %q is no amount: write a number such as 2.50", l.cost)
		}
		q.Cost = &value
	}
	switch {
	case l.budget == none:
		q.Budget = nil
	case l.changed("budget"):
		amount, window, ok := strings.Cut(l.budget, "/")
		value, err := resource.ParseQuantity(amount)
		if !ok || err != nil || window == "" {
			return fmt.Errorf("--budget %q: write AMOUNT/WINDOW, where the window is hour, day, month or a duration: 1000/month", l.budget)
		}
		q.Budget = &v1alpha1.Budget{Amount: value, Window: window}
	}
	*quota = nil
	if len(q.Resources) > 0 || q.Cost != nil || q.Budget != nil {
		*quota = &q
	}
	return nil
}

// limitsOf puts limits in words, in a fixed order.
func limitsOf(concurrency *int32, quota *v1alpha1.Quota) facts {
	var f facts
	f.add("concurrency", limit(concurrency))
	if quota == nil {
		return f
	}
	for _, name := range slices.Sorted(maps.Keys(quota.Resources)) {
		f.add(string(name), bound(quota.Resources[name]))
	}
	if quota.Cost != nil {
		most := limit(nil)
		if quota.Cost.Sign() >= 0 {
			most = queueyard.Number(*quota.Cost)
		}
		f.add("cost per hour", most)
	}
	if b := quota.Budget; b != nil {
		f.add("budget", queueyard.Number(b.Amount)+" per "+b.Window)
	}
	return f
}

func bound(q resource.Quantity) string {
	if q.Sign() < 0 {
		return limit(nil)
	}
	return q.String()
}

// difference is what changed between two descriptions: "concurrency 4 → 6".
func difference(before, after facts) string {
	value := func(f facts, name string) string {
		for _, fact := range f {
			if fact[0] == name {
				return fact[1]
			}
		}
		return none
	}
	var parts []string
	seen := map[string]bool{}
	for _, fact := range append(slices.Clone(before), after...) {
		name := fact[0]
		if from, to := value(before, name), value(after, name); from != to && !seen[name] {
			parts = append(parts, fmt.Sprintf("%s %s → %s", name, from, to))
		}
		seen[name] = true
	}
	return strings.Join(parts, ", ")
}

// tenant shows what of its quota a project or organization uses, and how its limits are shared among clusters.
func (s *Shell) tenant(status *v1alpha1.TenantStatus, quota *v1alpha1.Quota) error {
	if err := s.usage(status.Usage, status.CostRate, quota, status.Budget); err != nil {
		return err
	}
	if status.Withheld != "" {
		fmt.Fprintf(s.Out, "\nOf its limits %s.\n", status.Withheld)
	}
	if len(status.Shares) == 0 {
		return nil
	}
	fmt.Fprintln(s.Out, "\nHow its limits are shared:")
	t := &table{columns: columns("CLUSTER", "CONCURRENCY", "RESOURCES", "COST/H", "BUDGET")}
	share := func(name string, of *v1alpha1.Share) {
		var cost, budget string
		if of.Cost != nil {
			cost = queueyard.Number(*of.Cost)
		}
		if of.Budget != nil {
			budget = queueyard.Number(*of.Budget)
		}
		t.add(name, limit(of.Concurrency), resources(of.Resources), cost, budget)
	}
	if status.Local != nil {
		share("this one", status.Local)
	}
	for i := range status.Shares {
		share("agent "+status.Shares[i].Agent, &status.Shares[i].Share)
	}
	return t.indented(s, s.Out)
}

// usage shows what of a quota is used. Where nobody counts, only the limits are known.
func (s *Shell) usage(used corev1.ResourceList, rate string, quota *v1alpha1.Quota, spent *v1alpha1.BudgetStatus) error {
	t := &table{columns: columns("RESOURCE", "USED", "LIMIT")}
	names := map[corev1.ResourceName]bool{}
	for name := range used {
		names[name] = true
	}
	limits := map[corev1.ResourceName]resource.Quantity{}
	if quota != nil {
		limits = quota.Resources
	}
	for name := range limits {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		text, most := "", limit(nil)
		if q, ok := used[name]; ok {
			text = q.String()
		}
		if q, ok := limits[name]; ok {
			most = bound(q)
		}
		t.add(string(name), text, most)
	}
	if quota != nil && quota.Cost != nil {
		t.add("cost per hour", rate, queueyard.Number(*quota.Cost))
	} else if rate != "" {
		t.add("cost per hour", rate, limit(nil))
	}
	if quota != nil && quota.Budget != nil {
		used := ""
		if spent != nil {
			used = fmt.Sprintf("%s, %s left until %s", spent.Spent, spent.Left, s.clock(spent.WindowEnd.Time))
		}
		t.add("budget per "+quota.Budget.Window, used, queueyard.Number(quota.Budget.Amount))
	}
	if len(t.rows) == 0 {
		return nil
	}
	fmt.Fprintln(s.Out, "\nWhat it holds:")
	return t.indented(s, s.Out)
}
