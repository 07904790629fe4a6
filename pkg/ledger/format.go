package ledger

import (
	"fmt"
	"strconv"
	"strings"
)

// FormatAmount writes an amount of a resource as people do: cpu is kept in thousandths ("1500m",
// "2"), bytes are shortened where that loses nothing ("4Gi"), all else is a number.
func FormatAmount(resource string, amount int64) string {
	switch {
	case resource == "cpu":
		if amount%1000 == 0 {
			return strconv.FormatInt(amount/1000, 10)
		}
		return strconv.FormatInt(amount, 10) + "m"
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
