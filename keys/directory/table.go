package directory

import (
	"iter"
	"strings"
)

// A version is one value of a fact, in force from the state after leaf n on,
// and the values before it.
type version[T any] struct {
	n     int64 // index of the leaf that set it
	val   T
	older *version[T]
}

// push puts a newer value before v. A second value set by the same leaf
// replaces the first.
func (v *version[T]) push(n int64, val T) *version[T] {
	if v != nil && v.n == n {
		v = v.older
	}
	return &version[T]{n: n, val: val, older: v}
}

// at returns the version in force once n leaves are applied, nil if none.
func (v *version[T]) at(n int64) *version[T] {
	for v != nil && v.n >= n {
		v = v.older
	}
	return v
}

// A table maps keys to versioned facts. It is a balanced search tree (AVL) that
// copies the path it changes: adding costs O(log n), every earlier table stays
// as it was, and reading needs no lock. The zero table is empty.
type table[T any] struct{ root *node[T] }

type node[T any] struct {
	key         string
	facts       *version[T]
	left, right *node[T]
	height      int
}

// with returns the table in which leaf n has set key to val.
func (t table[T]) with(key string, n int64, val T) table[T] {
	return table[T]{t.root.with(key, n, val)}
}

// history returns all versions of key, the newest first, nil if none.
func (t table[T]) history(key string) *version[T] {
	x := t.root
	for x != nil && x.key != key {
		if key < x.key {
			x = x.left
		} else {
			x = x.right
		}
	}
	if x == nil {
		return nil
	}
	return x.facts
}

// get returns the value of key once n leaves are applied.
func (t table[T]) get(key string, n int64) (val T, ok bool) {
	if v := t.history(key).at(n); v != nil {
		return v.val, true
	}
	return val, false
}

// all walks the facts whose key starts with prefix, as of n leaves, in order of
// their keys.
func (t table[T]) all(prefix string, n int64) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) { t.root.walk(prefix, n, yield) }
}

func (x *node[T]) walk(prefix string, n int64, yield func(string, T) bool) bool {
	if x == nil {
		return true
	}
	within := strings.HasPrefix(x.key, prefix)
	if (within || x.key > prefix) && !x.left.walk(prefix, n, yield) {
		return false
	}
	if v := x.facts.at(n); within && v != nil && !yield(x.key, v.val) {
		return false
	}
	if within || x.key < prefix {
		return x.right.walk(prefix, n, yield)
	}
	return true
}

func (x *node[T]) with(key string, n int64, val T) *node[T] {
	if x == nil {
		return &node[T]{key: key, facts: (*version[T])(nil).push(n, val), height: 1}
	}
	c := *x
	switch {
	case key < x.key:
		c.left = x.left.with(key, n, val)
	case key > x.key:
		c.right = x.right.with(key, n, val)
	default:
		c.facts = x.facts.push(n, val)
		return &c
	}
	return c.balanced()
}

func (x *node[T]) tall() int {
	if x == nil {
		return 0
	}
	return x.height
}

func (x *node[T]) measure() { x.height = 1 + max(x.left.tall(), x.right.tall()) }

// balanced restores the AVL condition at x, which is a fresh copy. Every node it
// turns is copied first, since older tables may hold it.
func (x *node[T]) balanced() *node[T] {
	x.measure()
	switch diff := x.left.tall() - x.right.tall(); {
	case diff > 1:
		if x.left.left.tall() < x.left.right.tall() {
			x.left = x.left.copied().turnedLeft()
		}
		return x.turnedRight()
	case diff < -1:
		if x.right.right.tall() < x.right.left.tall() {
			x.right = x.right.copied().turnedRight()
		}
		return x.turnedLeft()
	}
	return x
}

func (x *node[T]) copied() *node[T] { c := *x; return &c }

func (x *node[T]) turnedRight() *node[T] {
	top := x.left.copied()
	x.left, top.right = top.right, x
	x.measure()
	top.measure()
	return top
}

func (x *node[T]) turnedLeft() *node[T] {
	top := x.right.copied()
	x.right, top.left = top.left, x
	x.measure()
	top.measure()
	return top
}
