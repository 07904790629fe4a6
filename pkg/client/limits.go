package client

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	visibility "github.com/queueyard/queueyard/pkg/apis/visibility/v1alpha1"
)

// CostResource is what cost is called among the resources of limits.
const CostResource = "queueyard.io/cost"

// LimitText is a limit with its numbers.
func LimitText(k *visibility.Check) string {
	text := fmt.Sprintf("%s %s: ", strings.ToLower(k.Kind), k.Name)
	most := k.Limit.String()
	if k.Limit.Sign() < 0 {
		most = "unlimited"
	}
	switch k.Resource {
	case "":
		text += fmt.Sprintf("%s/%s operations running", k.Used.String(), most)
	case CostResource:
		text += fmt.Sprintf("cost per hour %s/%s, needs %s", Number(k.Used), most, Number(k.Need))
	default:
		text += fmt.Sprintf("%s %s/%s, needs %s", k.Resource, k.Used.String(), most, k.Need.String())
	}
	if k.Whole != nil {
		whole := k.Whole.String()
		if k.Resource == CostResource {
			whole = Number(*k.Whole)
		}
		text += " (this cluster's share of " + whole + ")"
	}
	if k.Held != nil {
		text += fmt.Sprintf("; %s held for what has waited too long", k.Held.String())
	}
	if k.Kept != nil {
		text += fmt.Sprintf("; %s kept for %s", k.Kept.String(), strings.Join(k.KeptFor, ", "))
	}
	return text
}

// Number is an amount as people write it: 2.5 and not 2500m.
func Number(q resource.Quantity) string { return fmt.Sprintf("%g", q.AsApproximateFloat64()) }
