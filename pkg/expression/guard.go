package expression

import (
	"fmt"
	"math/bits"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/google/cel-go/common/functions"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"
)

// guard looks at the arguments of a call before it is made, charges for what it will do, and may replace
// them. CEL's own tracker counts after the call, which is too late for one that fills the memory, and
// takes time quadratic in the length of a loop.
type guard func(b *budget, args []ref.Val) *fault

// guards are of the calls whose work is more than the length of their arguments.
var guards = map[string]guard{
	operators.Add:       both(promote, sum),
	operators.Subtract:  promote,
	operators.Multiply:  promote,
	operators.Divide:    promote,
	operators.Equals:    weighed,
	operators.NotEquals: weighed,
	operators.In:        weighed,
	"size":              free,
	"replace":           both(linear, replaced),
	"join":              both(linear, joined),
	"format":            both(weighed, formatted),
	"lists.range":       ranged,
	"distinct":          both(weighed, squared),
	"flatten":           flattened,
	"sort":              sorted,
	sortByKeys:          sorted,
	"matches":           matched,
	"indexOf":           multiplied,
	"lastIndexOf":       multiplied,
	"sets.contains":     both(weighed, multiplied),
	"sets.intersects":   both(weighed, multiplied),
	"sets.equivalent":   both(weighed, multiplied),
}

// sortByKeys is what the macro sortBy calls.
const sortByKeys = "@sortByAssociatedKeys"

// budget is what one rendering may still take, in steps of well under a microsecond.
type budget struct{ left int }

func (b *budget) charge(n int) *fault {
	if b.left -= min(n, maxCost+1); b.left >= 0 {
		return nil
	}
	return tooCostly()
}

func tooCostly() *fault {
	return &fault{message: "the expression takes too long to evaluate", remedy: "loop over less, or let the program compute it"}
}

func free(*budget, []ref.Val) *fault { return nil }

func linear(b *budget, args []ref.Val) *fault {
	total := 0
	for _, arg := range args {
		switch v := arg.(type) {
		case types.String, types.Bytes, traits.Lister:
			total += length(v)
		}
	}
	return b.charge(total)
}

func both(guards ...guard) guard {
	return func(b *budget, args []ref.Val) *fault {
		for _, g := range guards {
			if f := g(b, args); f != nil {
				return f
			}
		}
		return nil
	}
}

// promote makes a float of an int beside a float.
func promote(_ *budget, args []ref.Val) *fault {
	if len(args) != 2 {
		return nil
	}
	switch a := args[0].(type) {
	case types.Int:
		if _, ok := args[1].(types.Double); ok {
			args[0] = types.Double(a)
		}
	case types.Double:
		if b, ok := args[1].(types.Int); ok {
			args[1] = types.Double(b)
		}
	}
	return nil
}

func sum(b *budget, args []ref.Val) *fault {
	total, copied := 0, 0
	for _, arg := range args {
		switch v := arg.(type) {
		case types.String, types.Bytes:
			copied += length(v)
		case traits.Lister: // of which none is copied
			total += length(v)
		}
	}
	if f := tooLong(total + copied); f != nil {
		return f
	}
	return b.charge(copied)
}

// weighed charges for every element of every list: lists of lists may share theirs, and so be larger than
// the memory.
func weighed(b *budget, args []ref.Val) *fault {
	for _, arg := range args {
		if f := weigh(b, arg); f != nil {
			return f
		}
	}
	return nil
}

func weigh(b *budget, v ref.Val) *fault {
	f := b.charge(1)
	switch v := v.(type) {
	case types.String, types.Bytes:
		f = b.charge(length(v) / 10) // compared and copied in bulk
	case traits.Lister:
		for i := types.Int(0); i < types.Int(length(v)) && f == nil; i++ {
			f = weigh(b, v.Get(i))
		}
	case traits.Mapper:
		for i := v.Iterator(); f == nil && i.HasNext() == types.True; {
			f = weigh(b, v.Get(i.Next()))
		}
	}
	return f
}

func replaced(_ *budget, args []ref.Val) *fault {
	if len(args) < 3 {
		return nil
	}
	text, ok := args[0].(types.String)
	old, isText := args[1].(types.String)
	if !ok || !isText {
		return nil
	}
	return tooLong(len(text) + saturate(strings.Count(string(text), string(old)), length(args[2])))
}

func joined(_ *budget, args []ref.Val) *fault {
	list, ok := args[0].(traits.Lister)
	if !ok {
		return nil
	}
	total := 0
	if len(args) > 1 {
		total = saturate(length(list), length(args[1]))
	}
	for i := types.Int(0); i < types.Int(length(list)) && total <= MaxRenderedBytes; i++ {
		total += length(list.Get(i))
	}
	return tooLong(total)
}

var widePrecision = regexp.MustCompile(`\.[0-9]{4,}`)

func formatted(_ *budget, args []ref.Val) *fault {
	if text, ok := args[0].(types.String); ok && widePrecision.MatchString(string(text)) {
		return &fault{message: "format asks for a thousand digits or more", remedy: "write a smaller precision"}
	}
	return nil
}

func ranged(b *budget, args []ref.Val) *fault {
	if n, ok := args[0].(types.Int); ok && n > maxRange {
		return &fault{message: fmt.Sprintf("lists.range(%d) is longer than %d", n, maxRange), remedy: "make a shorter list"}
	} else if ok && n > 0 {
		return b.charge(int(n))
	}
	return nil
}

func squared(b *budget, args []ref.Val) *fault {
	return b.charge(saturate(length(args[0]), length(args[0])))
}

// flattened counts what the list would hold: lists in it may be one and the same.
func flattened(b *budget, args []ref.Val) *fault {
	depth := types.Int(1)
	if len(args) > 1 {
		if given, ok := args[1].(types.Int); ok {
			depth = given
		}
	}
	total := 0
	var count func(v ref.Val, depth types.Int) *fault
	count = func(v ref.Val, depth types.Int) *fault {
		list, ok := v.(traits.Lister)
		if !ok || depth < 0 {
			total++
			return b.charge(1)
		}
		f := b.charge(1)
		for i := types.Int(0); i < types.Int(length(list)) && f == nil; i++ {
			f = count(list.Get(i), depth-1)
		}
		return f
	}
	if f := count(args[0], depth); f != nil {
		return f
	}
	return tooLong(total)
}

// sorted charges for every comparison what looking at the elements takes.
func sorted(b *budget, args []ref.Val) *fault {
	keys := args[len(args)-1]
	before := b.left
	if f := weigh(b, keys); f != nil {
		return f
	}
	return b.charge(saturate(before-b.left, bits.Len(uint(length(keys)))))
}

// An instruction of a compiled pattern takes so many steps to make: it is compiled for every call.
const stepsPerInstruction = 16

// matched charges for compiling the pattern and for walking it at every byte of the text. Repetitions make a pattern far
// larger than it is written.
func matched(b *budget, args []ref.Val) *fault {
	if len(args) < 2 {
		return nil
	}
	pattern, ok := args[1].(types.String)
	if !ok {
		return nil
	}
	if f := b.charge(len(pattern)); f != nil {
		return f
	}
	size := len(pattern)
	if parsed, err := syntax.Parse(string(pattern), syntax.Perl); err == nil { // the call says what is wrong
		size = max(size, instructions(parsed))
	}
	if f := b.charge(saturate(size, stepsPerInstruction)); f != nil {
		return f
	}
	return b.charge(saturate(size, length(args[0])))
}

// instructions is about how many a pattern has when it is compiled.
func instructions(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		n += instructions(sub)
	}
	if re.Op == syntax.OpRepeat {
		n = saturate(n, max(re.Min, re.Max, 1))
	}
	return n
}

func multiplied(b *budget, args []ref.Val) *fault {
	if len(args) < 2 {
		return nil
	}
	return b.charge(saturate(length(args[0]), length(args[1])))
}

func notEqual(a, b ref.Val) ref.Val {
	if equal, ok := types.Equal(a, b).(types.Bool); ok {
		return !equal
	}
	return types.True
}

func length(v ref.Val) int {
	switch v := v.(type) {
	case types.String:
		return len(v)
	case types.Bytes:
		return len(v)
	case traits.Sizer:
		if n, ok := v.Size().(types.Int); ok {
			return int(n)
		}
	}
	return 0
}

func saturate(a, b int) int {
	const most = 1 << 40
	if b > 0 && a > most/b {
		return most
	}
	return a * b
}

func tooLong(n int) *fault {
	if n <= MaxRenderedBytes {
		return nil
	}
	return &fault{message: fmt.Sprintf("the expression would make a text or a list longer than %d", MaxRenderedBytes), remedy: "make it shorter, or let the program read it from a file or a bucket"}
}

// guarded is a call with a guard before it.
type guarded struct {
	interpreter.InterpretableCall
	args  []interpreter.Interpretable
	guard guard
	call  *functions.Overload
}

// decorate puts guards before calls as a program is planned.
func (b *base) decorate(i interpreter.Interpretable) (interpreter.Interpretable, error) {
	call, ok := i.(interpreter.InterpretableCall)
	if !ok {
		return i, nil
	}
	implementation, ok := b.implementations[call.OverloadID()]
	if !ok {
		implementation, ok = b.implementations[call.Function()]
	}
	switch call.Function() { // which the planner knows by itself
	case operators.Equals:
		implementation, ok = &functions.Overload{Binary: types.Equal}, true
	case operators.NotEquals:
		implementation, ok = &functions.Overload{Binary: notEqual}, true
	}
	if !ok || implementation.NonStrict {
		return i, nil
	}
	guard, ok := guards[call.Function()]
	if !ok {
		guard = linear
	}
	return &guarded{InterpretableCall: call, args: call.Args(), guard: guard, call: implementation}, nil
}

// Eval evaluates the arguments, asks the guard and calls.
func (g *guarded) Eval(vars interpreter.Activation) ref.Val {
	args := make([]ref.Val, len(g.args))
	for i, arg := range g.args {
		if args[i] = arg.Eval(vars); types.IsUnknownOrError(args[i]) {
			return args[i]
		}
	}
	b := budgetOf(vars)
	if f := b.charge(1); f != nil {
		return types.LabelErrNode(g.ID(), types.WrapErr(f))
	}
	if f := g.guard(b, args); f != nil {
		return types.LabelErrNode(g.ID(), types.WrapErr(f))
	}
	return types.LabelErrNode(g.ID(), g.apply(args))
}

// apply calls as CEL's interpreter does.
func (g *guarded) apply(args []ref.Val) ref.Val {
	if g.call.OperandTrait == 0 || args[0].Type().HasTrait(g.call.OperandTrait) {
		switch {
		case len(args) == 1 && g.call.Unary != nil:
			return g.call.Unary(args[0])
		case len(args) == 2 && g.call.Binary != nil:
			return g.call.Binary(args[0], args[1])
		case g.call.Function != nil:
			return g.call.Function(args...)
		}
	}
	if len(args) > 0 && args[0].Type().HasTrait(traits.ReceiverType) {
		return args[0].(traits.Receiver).Receive(g.Function(), g.OverloadID(), args[1:])
	}
	return types.NewErr("no such overload: %s", g.Function())
}
