// Package cost turns requests into money and money into windows. It is pure.
//
// Amounts are whole millionths ("micros") of whatever currency the prices are in, so that sums are
// exact.
package cost

import (
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/queueyard/queueyard/pkg/apis/v1alpha1"
)

// Micros is money, or money per hour, in millionths.
type Micros = int64

// Max is more than anybody has. Amounts beyond it count as it.
const Max Micros = math.MaxInt64 / 4

const gibibyte = 1 << 30

// Prices are per hour and unit: a cpu, a GiB of memory or storage, one of anything else.
type Prices map[corev1.ResourceName]resource.Quantity

// Rate is what requests cost per hour, rounded up to a millionth.
func (p Prices) Rate(requests corev1.ResourceList) Micros {
	sum := new(big.Rat)
	for name, price := range p {
		request, ok := requests[name]
		if !ok {
			continue
		}
		amount := rat(request)
		switch name {
		case corev1.ResourceMemory, corev1.ResourceEphemeralStorage:
			amount.Quo(amount, new(big.Rat).SetInt64(gibibyte))
		}
		sum.Add(sum, amount.Mul(amount, rat(price)))
	}
	return micros(sum)
}

// Of is a quantity of money in millionths, rounded up.
func Of(q resource.Quantity) Micros { return micros(rat(q)) }

// Format writes an amount as people do: at least two decimals, no more than it has.
func Format(m Micros) string {
	text := fmt.Sprintf("%d.%06d", m/1_000_000, m%1_000_000)
	for strings.HasSuffix(text, "0") && len(text)-strings.IndexByte(text, '.') > 3 {
		text = text[:len(text)-1]
	}
	return text
}

// Parse reads what a user wrote as a cost per hour.
func Parse(text string) (Micros, error) {
	var q resource.Quantity
	err := resource.ErrFormatWrong
	if !endless.MatchString(text) {
		q, err = resource.ParseQuantity(text)
	}
	if err != nil {
		return 0, fmt.Errorf("%q is no amount: write a number such as 2.50", clip(text))
	}
	if q.Sign() < 0 {
		return 0, fmt.Errorf("%q is negative: write 0 or more", clip(text))
	}
	return Of(q), nil
}

// endless matches numbers that would take for ever to read, such as 1e-2000000000: anybody may write one.
var endless = regexp.MustCompile(`[eE][+-]?[0-9]{3}|^.{65}`)

// Declared is what an object says it costs per hour, in an annotation or a label. The two must not
// contradict each other.
func Declared(labels, annotations map[string]string) (rate Micros, declared bool, err error) {
	label, labelled := labels[v1alpha1.CostLabel]
	annotation, annotated := annotations[v1alpha1.CostLabel]
	switch {
	case labelled && annotated && label != annotation:
		return 0, true, fmt.Errorf("label and annotation %s differ (%q, %q): keep one", v1alpha1.CostLabel, clip(label), clip(annotation))
	case annotated:
		label = annotation
	case !labelled:
		return 0, false, nil
	}
	rate, err = Parse(label)
	if err != nil {
		err = fmt.Errorf("%s: %w", v1alpha1.CostLabel, err)
	}
	return rate, true, err
}

func clip(text string) string {
	if len(text) > 40 {
		return text[:40] + "..."
	}
	return text
}

// rat is a quantity without rounding. Of what is far beyond Max it is less, and still beyond it.
func rat(q resource.Quantity) *big.Rat {
	d := q.AsDec()
	r := new(big.Rat).SetInt(d.UnscaledBig())
	const far = 64
	scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(min(far, abs(int64(d.Scale())))), nil))
	if d.Scale() > 0 {
		return r.Quo(r, scale)
	}
	return r.Mul(r, scale)
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

func micros(r *big.Rat) Micros {
	scaled := new(big.Rat).Mul(r, new(big.Rat).SetInt64(1_000_000))
	whole, rest := new(big.Int).QuoRem(scaled.Num(), scaled.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		whole.Add(whole, big.NewInt(1))
	}
	if !whole.IsInt64() || whole.Int64() > Max {
		return Max
	}
	return max(whole.Int64(), 0)
}
