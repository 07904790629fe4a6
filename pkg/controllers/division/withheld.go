package division

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/queueyard/queueyard/pkg/ledger"
	"github.com/queueyard/queueyard/pkg/limits"
	"github.com/queueyard/queueyard/pkg/shares"
)

// withheld says what of the limits is kept by agents that are not heard of, and what to do about it; empty: nothing is.
func withheld(limit shares.Share, agents []agent, parties []shares.Party) string {
	var all []string
	for i := range agents {
		if p := &parties[i]; p.Unreachable && !p.Gone {
			if text := keeps(limit, &agents[i], p); text != "" {
				all = append(all, text)
			}
		}
	}
	return strings.Join(all, "; ")
}

func keeps(limit shares.Share, a *agent, p *shares.Party) string {
	var bound, unbound []string
	for _, dim := range slices.Sorted(maps.Keys(limit)) {
		text := fmt.Sprintf("%s of %s %s", amount(dim, p.Keeps(dim)), amount(dim, limit[dim]), word(dim))
		switch {
		case p.Unbounded(dim):
			unbound = append(unbound, text)
		case p.Keeps(dim) > 0:
			bound = append(bound, text)
		}
	}
	var says []string
	if len(bound) > 0 {
		says = append(says, "keeps "+strings.Join(bound, ", "))
	}
	if len(unbound) > 0 {
		says = append(says, "has not heard of a limit yet, and counts with what it had and was sent ("+strings.Join(unbound, ", ")+")")
	}
	if len(says) == 0 {
		return ""
	}
	return fmt.Sprintf("agent %s, %s, %s: %s", a.name, a.missing(), strings.Join(says, ", "), a.remedy())
}

// missing says since when it is not heard of.
func (a *agent) missing() string {
	switch {
	case !a.exists:
		return "deleted and never evicted"
	case a.leaving:
		return "which is being evicted"
	case a.last.IsZero():
		return "which has not joined"
	}
	return "unreachable since " + a.last.UTC().Format(time.RFC3339)
}

// remedy says how it gives that back.
func (a *agent) remedy() string {
	evict := "qy agents evict " + a.name
	switch {
	case !a.exists:
		return "qy agents join " + a.name + ", then " + evict + " if its cluster is gone for good"
	case a.leaving:
		return "until the hub has its Lease and has given up what it had"
	}
	return "until it is back, or evicted because its cluster is gone for good (" + evict + ")"
}

func amount(dim string, n int64) string {
	if dim == limits.Budget {
		dim = ledger.CostPerHour // both are money
	}
	return ledger.FormatAmount(dim, n)
}

func word(dim string) string {
	switch dim {
	case limits.Seats:
		return "operations"
	case ledger.CostPerHour:
		return "cost per hour"
	case limits.Budget:
		return "budget"
	}
	return dim
}
