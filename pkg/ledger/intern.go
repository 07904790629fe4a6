package ledger

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// dim numbers a dimension: seats, or a resource.
type dim int32

const seats dim = 0

// closing stands for whether a node is closed. It has a gate as the other dimensions have; there is
// nothing to charge.
const closing dim = -1

// need is how much of one resource a pod asks for.
type need struct {
	dim    dim
	amount int64
}

// vector is what a pod asks for, by resource name, without seats and without zeros. Equal vectors are
// one object, so that pods which ask for the same share a shape.
type vector struct {
	needs []need
	key   string
	refs  int
}

// dimensions gives small numbers to resource names, for as long as somebody uses them: users make
// names up, and every limit node has a slot per number.
type dimensions struct {
	byName map[string]dim
	names  []string
	refs   []int
	spare  []dim
}

func newDimensions() dimensions {
	return dimensions{byName: map[string]dim{}, names: []string{""}, refs: []int{1}}
}

func (d *dimensions) retain(name string) dim {
	at, ok := d.byName[name]
	switch {
	case ok:
	case len(d.spare) > 0:
		at = d.spare[len(d.spare)-1]
		d.spare = d.spare[:len(d.spare)-1]
		d.names[at] = name
		d.byName[name] = at
	default:
		at = dim(len(d.names))
		d.names = append(d.names, name)
		d.refs = append(d.refs, 0)
		d.byName[name] = at
	}
	d.refs[at]++
	return at
}

func (d *dimensions) release(at dim) {
	d.refs[at]--
	if d.refs[at] > 0 {
		return
	}
	delete(d.byName, d.names[at])
	d.names[at] = ""
	d.spare = append(d.spare, at)
}

// vectors holds every vector in use.
type vectors struct {
	byKey map[string]*vector
	needs []need // scratch
	key   []byte // scratch
}

// retain returns the vector of these requests. Amounts that are not positive ask for nothing.
func (v *vectors) retain(dims *dimensions, requests map[string]int64) *vector {
	v.needs = v.needs[:0]
	for name, amount := range requests {
		if amount > 0 {
			v.needs = append(v.needs, need{dims.retain(name), amount})
		}
	}
	return v.intern(dims)
}

// intern returns the vector of the scratch needs, which hold a reference to each of their dimensions.
func (v *vectors) intern(dims *dimensions) *vector {
	slices.SortFunc(v.needs, func(a, b need) int { return cmp.Compare(dims.names[a.dim], dims.names[b.dim]) })
	v.key = v.key[:0]
	for _, n := range v.needs {
		v.key = binary.AppendUvarint(v.key, uint64(n.dim))
		v.key = binary.AppendUvarint(v.key, uint64(n.amount))
	}
	vec, ok := v.byKey[string(v.key)]
	if ok {
		for _, n := range v.needs {
			dims.release(n.dim) // the vector holds its own
		}
	} else {
		vec = &vector{needs: slices.Clone(v.needs), key: string(v.key)}
		v.byKey[vec.key] = vec
	}
	vec.refs++
	return vec
}

func (v *vectors) release(dims *dimensions, vec *vector) {
	vec.refs--
	if vec.refs > 0 {
		return
	}
	delete(v.byKey, vec.key)
	for _, n := range vec.needs {
		dims.release(n.dim)
	}
}

// of is how much of a dimension the vector asks for.
func (vec *vector) of(d dim) int64 {
	for _, n := range vec.needs {
		if n.dim == d {
			return n.amount
		}
	}
	return 0
}
