import { html, useMemo } from '../vendor/htm-preact.js'
import { useData } from '../parts/api.js'
import { path, useQuery } from '../parts/router.js'
import { Title, Loaded, Facts } from '../parts/layout.js'
import { Status } from '../parts/status.js'
import { lasting } from '../parts/time.js'
import { flip } from '../parts/table.js'
import { useWindow, Space } from '../parts/window.js'
import { short } from '../parts/scale.js'
import { Course } from '../parts/course.js'
import { Parallel } from '../parts/parallel.js'
import { Head, Problems, inNamespace, useEnd } from './workflow.js'

const rowHeight = 36
const text = (v) => (typeof v === 'number' ? short(v) : v === undefined ? '–' : JSON.stringify(v))

function columnsOf(sweep) {
  return [
    { key: 'trial', label: 'Trial', sort: (t) => t.index, cell: (t) => html`<a href=${path([t.nested ? 'workflows' : 'operations', sweep.namespace, t.name])} title=${t.name}>${t.index}</a>${t.index === sweep.best ? html` <strong class="tag">best</strong>` : null}` },
    { key: 'status', label: 'Status', sort: (t) => t.status || '', cell: (t) => html`<${Status} status=${t.status} />` },
    ...(sweep.metric ? [{ key: 'value', label: sweep.metric.name, class: 'number', sort: (t) => t.value, cell: (t) => (t.value == null ? '–' : short(t.value, 6)) }] : []),
    ...sweep.axes.map((a) => ({ key: 'param.' + a.name, label: a.name, class: a.scale === 'category' ? '' : 'number', sort: (t) => (a.scale === 'category' ? a.values.indexOf(JSON.stringify(t.params?.[a.name])) : t.params?.[a.name]), cell: (t) => text(t.params?.[a.name]) })),
    { key: 'waited', label: 'Waited', class: 'number', sort: (t) => t.waited, cell: (t) => lasting(t.waited / 1000) },
    { key: 'ran', label: 'Ran', class: 'number', sort: (t) => t.ran, cell: (t) => lasting(t.ran / 1000) },
    { key: 'why', label: 'Why', sort: (t) => t.reason || '', cell: (t) => (t.status === 'succeeded' ? (t.continues ? `goes on from ${t.continues}` : '') : t.message && html`<span title=${t.message}>${t.message === t.reason ? t.message : `${t.reason}: ${t.message}`}</span>`) },
  ]
}

// What has no value is last, whichever way it is sorted; what is equal stays in the order of the trials.
export function sorted(trials, columns, order) {
  const back = order.startsWith('-'), column = columns.find((c) => c.key === order.replace('-', ''))
  if (!column) return trials
  return trials.map((t) => [column.sort(t) ?? null, t]).sort(([a, s], [b, t]) => {
    if (a === null || b === null) return (a === null) - (b === null) || s.index - t.index
    return (a < b ? -1 : a > b ? 1 : 0) * (back ? -1 : 1) || s.index - t.index
  }).map(([, t]) => t)
}

function Trials({ sweep }) {
  const [query, change] = useQuery()
  const columns = columnsOf(sweep), order = query.sort || ''
  const rows = useMemo(() => sorted(sweep.trials, columns, order), [sweep, order])
  const w = useWindow(rows.length, rowHeight)
  return html`<div class="scroll long trials" ref=${w.box} onScroll=${w.look} tabindex="0" role="region" aria-label=${`Trials: ${rows.length} rows, scrolls`}>
    <table aria-rowcount=${rows.length + 1}>
      <caption class="unseen">Trials</caption>
      <thead><tr>${columns.map((c) => html`<th key=${c.key} scope="col" class=${`${c.class || ''} ${c.key}`} aria-sort=${order === c.key ? 'ascending' : order === '-' + c.key ? 'descending' : 'none'}>
        <button class="sort" onClick=${() => change({ sort: flip(order, c.key) })}>${c.label} <span aria-hidden="true">${order === c.key ? '▲' : order === '-' + c.key ? '▼' : ''}</span></button></th>`)}</tr></thead>
      <tbody>
        <${Space} height=${w.before} columns=${columns.length} />
        ${rows.slice(w.from, w.to).map((t, i) => html`<tr key=${t.name} aria-rowindex=${w.from + i + 2} class=${t.index === sweep.best ? 'best' : ''}>
          ${columns.map((c, j) => (j ? html`<td key=${c.key} class=${c.class}>${c.cell(t)}</td>` : html`<th key=${c.key} scope="row">${c.cell(t)}</th>`))}</tr>`)}
        <${Space} height=${w.after} columns=${columns.length} />
      </tbody>
    </table>
  </div>`
}

function Shown({ sweep }) {
  return html`
    <${Head} page=${sweep} end=${useEnd(sweep)} />
    <${Facts} of=${[['Search', sweep.kind], ['Metric', sweep.metric && `${sweep.metric.name}, ${sweep.metric.optimization}`], ['How far', sweep.search], ['Stops early', sweep.rules?.join('; ')]]} />
    <p><a href=${path(['workflows', sweep.namespace, sweep.name])}>When what ran, and how much at a time</a></p>
    <${Problems} page=${sweep} nested=${new Set(sweep.trials.filter((t) => t.nested).map((t) => t.name))} />
    <div class="columns charts">
      ${sweep.metric && html`<section><h2>Best so far</h2><${Course} sweep=${sweep} /></section>`}
      <section><h2>Params</h2><${Parallel} sweep=${sweep} /></section>
    </div>
    <h2>Trials</h2><${Trials} sweep=${sweep} />`
}

export function Sweep({ namespace, name }) {
  const state = useData(path(['workflows', namespace, name, 'sweep']), inNamespace(namespace))
  return html`<${Title} name=${`${name} · Sweep`}>Sweep ${name}</${Title}><${Loaded} of=${state}>${(sweep) => html`<${Shown} sweep=${sweep} />`}</${Loaded}>`
}
