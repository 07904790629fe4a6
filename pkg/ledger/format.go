package ledger

import (
	"fmt"
	"strconv"
	"strings"
)

// FormatAmount writes an amount of a resource as people do: cpu is kept in thousandths ("1500m",
// "2"), bytes are shortened where that loses nothing ("4Gi"), cost has two decimals, or more where it
// needs them ("3.50"), all else is a number.
func FormatAmount(resource string, amount int64) string {
	switch {
	case resource == "cpu":
		if amount%1000 == 0 {
			return strconv.FormatInt(amount/1000, 10)
		}
		return strconv.FormatInt(amount, 10) + "m"
	case resource == CostPerHour:
		return formatMillionths(amount)
	case resource == "memory", resource == "storage", resource == "ephemeral-storage", strings.HasPrefix(resource, "hugepages-"):
		return formatBytes(amount)
	}
	return strconv.FormatInt(amount, 10)
}

func formatBytes(amount int64) string {
	units := []string{"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"}
	at := 0
	for at < len(units)-1 && amount != 0 && amount%1024 == 0 {
		amount /= 1024
		at++
	}
	return fmt.Sprintf("%d%s", amount, units[at])
}

func formatMillionths(amount int64) string {
	text := fmt.Sprintf("%d.%06d", amount/1_000_000, amount%1_000_000)
	return text[:len(text)-4] + strings.TrimRight(text[len(text)-4:], "0")
}

// DisplayName is how sentences call the node of a check.
func (c *Check) DisplayName() string { return displayName(c.Kind, c.Name) }

func (n *limitNode) displayName() string { return displayName(n.kind, n.name) }

// displayName shortens the names of workflows, which may be namespace/name/uid so that none is another's.
func displayName(k Kind, name string) string {
	if parts := strings.Split(name, "/"); k == Workflow && len(parts) == 3 {
		return parts[1]
	}
	return name
}
