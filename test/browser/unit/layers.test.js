import test from 'node:test'
import assert from 'node:assert/strict'
import { layers } from '../../../pkg/dashboard/web/parts/layers.js'

test('a diamond', () => {
  const l = layers([[], [0], [0], [1, 2]])
  assert.deepEqual(l.nodes, [{ layer: 0, row: 0.5 }, { layer: 1, row: 0 }, { layer: 1, row: 1 }, { layer: 2, row: 0.5 }])
  assert.deepEqual([l.width, l.height, l.edges.length], [3, 2, 4])
})

test('a long edge goes around what stands between', () => {
  const l = layers([[], [0], [1], [2, 0]])
  const long = l.edges.find((e) => e.from === 0 && e.to === 3)
  assert.equal(long.points.length, 4)
  for (const p of long.points.slice(1, -1)) {
    assert.ok(l.nodes.every((n) => n.layer !== p.layer || Math.abs(n.row - p.row) >= 1), 'it runs through a node')
  }
})

test('two branches that are written crosswise do not cross', () => {
  const l = layers([[], [], [1], [0]])
  assert.equal(l.nodes[0].row < l.nodes[1].row, l.nodes[3].row < l.nodes[2].row)
})

test('nothing, one, and a need that is named twice', () => {
  assert.deepEqual(layers([]), { width: 0, height: 0, nodes: [], edges: [] })
  assert.deepEqual(layers([[]]).nodes, [{ layer: 0, row: 0 }])
  assert.equal(layers([[], [0, 0]]).edges.length, 1)
})

test('a cycle is refused', () => assert.throws(() => layers([[1], [0]]), /cycle/))

// A generator with a seed, so that a failure can be seen again.
const random = (seed) => () => ((seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648)

test('any dag: needs are to the left, no two stand in one place, all is inside, and twice the same', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const next = random(seed), n = 1 + Math.floor(next() * 60), needs = []
    for (let i = 0; i < n; i++) needs.push(Array.from({ length: i }, (_, u) => u).filter(() => next() < 2 / (i + 1)))
    const l = layers(needs), at = new Set()
    needs.forEach((list, i) => list.forEach((u) => assert.ok(l.nodes[u].layer < l.nodes[i].layer, `seed ${seed}`)))
    l.nodes.forEach(({ layer, row }, i) => {
      assert.ok(layer >= 0 && layer < l.width && row >= 0 && row <= l.height - 1, `seed ${seed}: node ${i} at ${layer}, ${row}`)
      l.nodes.forEach((o, j) => assert.ok(i === j || o.layer !== layer || Math.abs(o.row - row) >= 1 - 1e-9, `seed ${seed}: ${i} and ${j}`))
      at.add(`${layer}/${row}`)
    })
    assert.equal(at.size, n)
    assert.deepEqual(l, layers(needs))
  }
})

test('a thousand steps take no time to speak of', () => {
  const needs = Array.from({ length: 1000 }, (_, i) => (i < 40 ? [] : [i - 40, i - 40 + ((i * 7) % 39)].filter((u) => u < i)))
  assert.equal(layers(needs).nodes.length, 1000)
})
