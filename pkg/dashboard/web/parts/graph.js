// The steps of a dag and what they need, also those that have not begun.
import { html, useMemo } from '../vendor/htm-preact.js'
import { layers } from './layers.js'
import { path } from './router.js'
import { look, words, Status } from './status.js'
import { Counts, done, inShort, inWords } from './counts.js'
import { Table } from './table.js'

const box = { width: 168, height: 46 }, gap = { x: 56, y: 18 }, margin = 10
const signs = { good: '✔', bad: '✖', go: '●', wait: '◌', off: '■', warn: '!', idle: '·' }
const clip = (text, most) => (text.length > most ? text.slice(0, most - 1) + '…' : text)

const means = (n) => (n.name ? words(n.status) : 'to come')
const needs = (page, n) => n.needs.map((i) => page.nodes[i].step).join(', ')

function Box({ page, n, at }) {
  const kind = n.name ? look(n.status) : 'idle'
  const below = n.counts ? (n.counts.total > 0 ? `${done(n.counts)}/${n.counts.total} · ${inShort(n.counts).replace(/^×\S+ /, '')}` : inShort(n.counts)) : n.name ? words(n.status) : n.atEnd ? 'at the end' : 'to come'
  const first = `${signs[kind]} ${clip(n.step, 20)}`, second = clip(below, 26) + (n.trigger && n.trigger !== 'all_succeeded' ? ` · ${n.trigger}` : '')
  // It begins with what is seen, so that who speaks to the page can name it so.
  const text = `${first} ${second}: ${n.step}, ${n.kind} ${n.of}, ${means(n)}${n.counts ? `, ${inWords(n.counts)}` : ''}${n.message ? `; ${n.message}` : ''}${n.needs.length ? `; needs ${needs(page, n)}` : ''}`
  const inside = html`
    <rect class="node ${kind} ${n.name ? '' : 'coming'}" width=${box.width} height=${box.height} rx=${n.kind === 'operation' ? 6 : 14} />
    <text x="10" y="19" class="step">${first}</text>${' '}<text x="10" y="36" class="state">${second}</text>`
  const place = `translate(${at.x} ${at.y})`
  return n.name
    ? html`<a href=${path([n.kind === 'operation' ? 'operations' : 'workflows', page.namespace, n.name])} transform=${place} aria-label=${text}>${inside}</a>`
    : html`<g transform=${place} role="img" aria-label=${text}>${inside}</g>`
}

const columns = (page) => [
  { key: 'step', label: 'Step', cell: (n) => (n.name ? html`<a href=${path([n.kind === 'operation' ? 'operations' : 'workflows', page.namespace, n.name])}>${n.step}</a>` : n.step) },
  { key: 'kind', label: 'Runs', cell: (n) => `${n.kind} ${n.of}` },
  { key: 'needs', label: 'Needs', cell: (n) => needs(page, n) || '–' },
  { key: 'trigger', label: 'Trigger', cell: (n) => n.trigger || 'all_succeeded' },
  { key: 'when', label: 'When', cell: (n) => (n.when ? html`<code>${n.when}</code>` : '–') },
  { key: 'status', label: 'Status', cell: (n) => (n.name ? html`<${Status} status=${n.status} />` : 'to come') },
  { key: 'more', label: 'More', cell: (n) => (n.counts ? html`<${Counts} of=${n.counts} />` : n.message) },
]

export function Graph({ page }) {
  const shape = JSON.stringify(page.nodes.map((n) => n.needs))
  const l = useMemo(() => layers(JSON.parse(shape)), [shape])
  const x = (layer) => margin + layer * (box.width + gap.x), y = (row) => margin + row * (box.height + gap.y)
  const width = x(l.width) - gap.x + margin, height = y(l.height) - gap.y + margin
  const line = ({ points }) => points.slice(1).reduce((d, p, i) => {
    const a = points[i], from = [x(a.layer) + box.width, y(a.row) + box.height / 2], to = [x(p.layer), y(p.row) + box.height / 2]
    const through = i > 0 ? `L${from}` : ''
    return d + `${through}C${from[0] + gap.x / 2},${from[1]} ${to[0] - gap.x / 2},${to[1]} ${to}`
  }, `M${x(points[0].layer) + box.width},${y(points[0].row) + box.height / 2}`)
  return html`
    <div class="scroll-x" tabindex="0" role="region" aria-label="Steps and what they need, as a picture; a table follows">
      <svg class="dag" width=${width} height=${height} viewBox="0 0 ${width} ${height}" role="group" aria-label="Steps and what they need">
        <defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" /></marker></defs>
        ${l.edges.map((e) => html`<path key=${e.from + '-' + e.to} class="edge ${page.nodes[e.to].name ? '' : 'coming'}" d=${line(e)} marker-end="url(#arrow)" />`)}
        ${page.nodes.map((n, i) => html`<${Box} key=${n.step} page=${page} n=${n} at=${{ x: x(l.nodes[i].layer), y: y(l.nodes[i].row) }} />`)}
      </svg>
    </div>
    <details><summary>The steps as a table</summary><${Table} caption="Steps and what they need" columns=${columns(page)} rows=${page.nodes} rowKey=${(n) => n.step} /></details>`
}
