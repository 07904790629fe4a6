// Where the steps of a dag stand: in layers from left to right, each behind all that it needs. Pure: no page, no drawing.
//
// layers([[], [0], [0, 1]]) takes of each node the places of those that it needs, and gives
//   {width, height, nodes: [{layer, row}], edges: [{from, to, points: [{layer, row}, …]}]}
// in units of layers and rows; rows may be fractions. An edge over several layers has a point in each of them, so that it can
// be led around what stands between.

// The layer of a node is the length of the longest way to it.
function depths(needs) {
  const depth = new Array(needs.length).fill(-1), open = needs.map((n) => n.length), users = needs.map(() => [])
  needs.forEach((n, i) => n.forEach((u) => users[u].push(i)))
  const ready = []
  open.forEach((n, i) => { if (!n) { depth[i] = 0; ready.push(i) } })
  for (let at = 0; at < ready.length; at++) {
    const i = ready[at]
    for (const to of users[i]) {
      depth[to] = Math.max(depth[to], depth[i] + 1)
      if (--open[to] === 0) ready.push(to)
    }
  }
  if (ready.length < needs.length) throw new Error('the nodes need each other in a cycle')
  return depth
}

const mean = (list, or) => (list.length ? list.reduce((a, b) => a + b, 0) / list.length : or)

// How often the layers are put in order of what they are joined to, forth and back.
const rounds = 4

export function layers(needs) {
  const depth = depths(needs)
  // A long edge gets a stop in every layer that it crosses.
  const stops = needs.map((_, i) => ({ layer: depth[i], before: [], after: [], order: 0 }))
  const join = (a, b) => { stops[a].after.push(b); stops[b].before.push(a) }
  const edges = []
  needs.forEach((list, to) => [...new Set(list)].forEach((from) => {
    const way = [from]
    for (let l = depth[from] + 1; l < depth[to]; l++) way.push(stops.push({ layer: l, before: [], after: [], order: 0 }) - 1)
    way.push(to)
    for (let k = 1; k < way.length; k++) join(way[k - 1], way[k])
    edges.push({ from, to, way })
  }))
  const byLayer = []
  stops.forEach((s, i) => (byLayer[s.layer] ??= []).push(i))
  const number = (layer) => layer.forEach((i, at) => { stops[i].order = at })
  byLayer.forEach(number)
  const sort = (layer, side) => {
    const want = new Map(layer.map((i) => [i, mean(stops[i][side].map((j) => stops[j].order), stops[i].order)]))
    layer.sort((a, b) => want.get(a) - want.get(b) || stops[a].order - stops[b].order)
    number(layer)
  }
  for (let r = 0; r < rounds; r++) {
    byLayer.forEach((layer) => sort(layer, 'before'))
    for (let l = byLayer.length - 1; l >= 0; l--) sort(byLayer[l], 'after')
  }
  // Each stands as near to what it is joined to as its neighbours let it.
  const height = Math.max(0, ...byLayer.map((l) => l.length))
  byLayer.forEach((layer) => layer.forEach((i, at) => { stops[i].row = at + (height - layer.length) / 2 }))
  const settle = (layer, side) => {
    const want = layer.map((i) => mean(stops[i][side].map((j) => stops[j].row), stops[i].row))
    for (let at = 0, least = 0; at < layer.length; at++) {
      const most = height - (layer.length - at)
      stops[layer[at]].row = Math.min(most, Math.max(least, want[at]))
      least = stops[layer[at]].row + 1
    }
  }
  byLayer.forEach((layer) => settle(layer, 'before'))
  for (let l = byLayer.length - 1; l >= 0; l--) settle(byLayer[l], 'after')
  const point = (i) => ({ layer: stops[i].layer, row: stops[i].row })
  return { width: byLayer.length, height, nodes: needs.map((_, i) => point(i)), edges: edges.map(({ from, to, way }) => ({ from, to, points: way.map(point) })) }
}
