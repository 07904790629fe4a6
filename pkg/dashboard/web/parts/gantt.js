// The chart of a workflow: a table with a row for each thing in it, what it has at which time as bars. What waits is hatched.
import { html } from '../vendor/htm-preact.js'
import { path } from './router.js'
import { Status } from './status.js'
import { Counts, Progress, inWords } from './counts.js'
import { lasting } from './time.js'
import { timeTicks, linear } from './scale.js'
import { useWindow, Space } from './window.js'

const rowHeight = 32, width = 1000
const names = { held: 'awaited approval', waiting: 'waited', starting: 'started', running: 'ran', pausing: 'paused' }

// The pattern of what waits: once in a page.
export function Patterns() {
  return html`<svg class="unseen" aria-hidden="true" focusable="false" width="0" height="0"><defs>
    <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6" class="hatch-back" /><line x1="0" y1="0" x2="0" y2="6" class="hatch-line" /></pattern>
    <pattern id="dots" width="5" height="5" patternUnits="userSpaceOnUse"><rect width="5" height="5" class="hatch-back" /><circle cx="2.5" cy="2.5" r="1" class="hatch-dot" /></pattern>
  </defs></svg>`
}

export function Legend() {
  const item = (kind, text) => html`<li><svg width="28" height="12" aria-hidden="true" focusable="false"><rect x="1" y="1" width="26" height="10" class="span ${kind}" /></svg> ${text}</li>`
  return html`<ul class="legend" aria-label="Legend">${item('waiting', 'waiting in its queue')}${item('starting', 'starting')}${item('running', 'running')}${item('running bad', 'running, then failed')}${item('held', 'awaiting approval, or pausing')}</ul>`
}

const bad = new Set(['failed', 'upstream_failed'])

function Bars({ row, x, end }) {
  const spans = (row.spans || []).map((s) => ({ ...s, to: s.to || end }))
  const sums = {}
  spans.forEach((s) => { sums[s.kind] = (sums[s.kind] || 0) + Math.max(0, s.to - s.from) })
  const text = Object.entries(sums).map(([k, t]) => `${names[k]} ${lasting(t / 1000)}`).join(', ') || row.message || 'not begun'
  const last = spans.findLastIndex((s) => s.kind === 'running' || s.kind === 'starting')
  return html`<svg class="bars" viewBox="0 0 ${width} ${rowHeight}" preserveAspectRatio="none" role="img" aria-label=${text}>
    <title>${text}</title>
    ${spans.map((s, i) => html`<rect key=${i} x=${x(s.from)} y="8" height="16" width=${Math.max(2, x(s.to) - x(s.from))}
      class=${`span ${s.kind}${i === last && bad.has(row.status) ? ' bad' : ''}${row.kind === 'workflow' ? ' outer' : ''}`} />`)}
    ${spans.length > 0 && bad.has(row.status) && html`<rect x=${Math.min(width, x(spans.at(-1).to)) - 5} y="5" height="22" width="5" class="span running bad" />`}
  </svg>`
}

// What a group did: how many ran, on these how many waited.
function Area({ row, x, end }) {
  const points = row.load.points, most = Math.max(1, ...points.map((p) => p[1] + p[2]))
  const y = linear(0, most, rowHeight - 4, 4)
  const text = `at most ${row.load.peak} at a time; ${inWords(row.counts)}`
  return html`<svg class="bars" viewBox="0 0 ${width} ${rowHeight}" preserveAspectRatio="none" role="img" aria-label=${text}><title>${text}</title>
    <path class="span waiting" d=${area(points, x, (p) => y(p[1] + p[2]), (p) => y(p[2]), end)} /><path class="span running" d=${area(points, x, (p) => y(p[2]), () => y(0), end)} />
  </svg>`
}

// The area between two lines of steps.
export function area(points, x, top, bottom, end) {
  if (!points.length) return ''
  const over = [], under = []
  points.forEach((p, i) => {
    const until = i + 1 < points.length ? points[i + 1][0] : end
    over.push(`${x(p[0])},${top(p)}`, `${x(until)},${top(p)}`)
    under.push(`${x(p[0])},${bottom(p)}`, `${x(until)},${bottom(p)}`)
  })
  return `M${over.join('L')}L${under.reverse().join('L')}Z`
}

function Name({ row, namespace, fold }) {
  const link = row.name && path([row.kind === 'workflow' ? 'workflows' : 'operations', namespace, row.name])
  return html`<span class="place" style=${{ paddingLeft: row.depth * 1.2 + 'rem' }}>
    ${row.openable ? html`<button class="fold" aria-expanded=${row.open ? 'true' : 'false'} aria-label=${`${row.title}: show what is in it`} onClick=${() => fold(row.id, !row.open)}><span aria-hidden="true">${row.open ? '▾' : '▸'}</span></button>` : html`<span class="fold"></span>`}
    ${link ? html`<a href=${link} title=${row.name}>${row.title}</a>` : html`<span class=${row.kind === 'step' ? 'quiet' : ''}>${row.title}</span>`}
    ${row.kind === 'group' && html`<${Counts} of=${row.counts} />`}
  </span>`
}

function Is({ row }) {
  if (row.kind === 'step') return html`<span class="chip idle" title=${row.message}>to come</span> <span class="quiet">${row.message}</span>`
  if (row.kind === 'group') return html`<${Progress} of=${row.counts} label=${row.title} />`
  if (row.kind === 'more') return null
  return html`<${Status} status=${row.status} /> ${row.kind === 'workflow' ? html`<${Counts} of=${row.counts} />` : html`<span class="quiet" title=${row.message}>${row.message}</span>`}`
}

export function Gantt({ page, end, fold }) {
  const begin = Math.min(page.created, ...page.rows.flatMap((r) => (r.spans || []).slice(0, 1).map((s) => s.from)))
  const last = Math.max(end, begin + 1000), x = linear(begin, last, 0, width)
  const w = useWindow(page.rows.length, rowHeight)
  const marks = timeTicks((last - begin) / 1000)
  return html`<div class="scroll long gantt" ref=${w.box} onScroll=${w.look} tabindex="0" role="region" aria-label=${`What is in the workflow: ${page.rows.length} rows, scrolls`}>
    <table aria-rowcount=${page.rows.length + 1}>
      <caption class="unseen">What is in the workflow, and when it waited and ran</caption>
      <thead><tr><th scope="col" class="what">What</th><th scope="col" class="is">Status</th><th scope="col" class="when"><span class="unseen">When</span>
        <span class="ticks" aria-hidden="true">${marks.map((t) => html`<span key=${t} style=${{ left: (100 * t * 1000) / (last - begin) + '%' }}>${t ? '+' + lasting(t) : '0'}</span>`)}</span></th></tr></thead>
      <tbody>
        <${Space} height=${w.before} columns="3" />
        ${page.rows.slice(w.from, w.to).map((row, i) => html`<tr key=${row.id} aria-rowindex=${w.from + i + 2} class=${row.kind}>
          <th scope="row"><${Name} row=${row} namespace=${page.namespace} fold=${fold} /></th>
          <td><${Is} row=${row} /></td>
          <td class="when">${row.kind === 'more' ? null : row.kind === 'group' ? html`<${Area} row=${row} x=${x} end=${last} />` : html`<${Bars} row=${row} x=${x} end=${last} />`}</td>
        </tr>`)}
        <${Space} height=${w.after} columns="3" />
      </tbody>
    </table>
  </div>`
}
