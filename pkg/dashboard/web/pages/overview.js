import { html } from '../vendor/htm-preact.js'
import { useData } from '../parts/api.js'
import { useQuery, path } from '../parts/router.js'
import { Title, Links, Loaded, Notes } from '../parts/layout.js'
import { Meters } from '../parts/bars.js'
import { Status, everyStatus } from '../parts/status.js'
import { Ago, lasting } from '../parts/time.js'
import { Table } from '../parts/table.js'

export const priority = (p) => (p == null ? 'highest' : p)

// The median and the 95th percentile of waits, as text.
export const waited = (w) => (w ? `${lasting(w.p50)} / ${lasting(w.p95)}` : '–')

const columns = [
  { key: 'name', label: 'Queue', cell: (q) => html`<a href=${path(['queues', q.name])}>${q.name}</a>`, sort: (q) => q.name },
  { key: 'state', label: 'State', cell: (q) => html`<${Status} status=${q.problem && q.state === 'Open' ? 'Not ready' : q.state} />`, sort: (q) => q.state },
  { key: 'priority', label: 'Priority', class: 'number', cell: (q) => priority(q.priority), sort: (q) => -(q.priority ?? Infinity) },
  { key: 'use', label: 'In use', class: 'wide', cell: (q) => html`<${Meters} of=${q.meters} />` },
  { key: 'running', label: 'Running', class: 'number', cell: (q) => q.running, sort: (q) => -q.running },
  { key: 'waiting', label: 'Waiting', class: 'number', cell: (q) => q.waiting, sort: (q) => -q.waiting },
  { key: 'waits', label: 'Wait p50 / p95', class: 'number', cell: (q) => html`<span title=${q.waits ? `of ${q.waits.count} that started in the last 24 hours` : 'nothing started in the last 24 hours'}>${waited(q.waits)}</span>`, sort: (q) => (q.waits ? -q.waits.p50 : null) },
  { key: 'oldest', label: 'Oldest waits', class: 'number', cell: (q) => (q.oldest ? html`<${Ago} time=${q.oldest} />` : '–'), sort: (q) => q.oldest ?? null },
  { key: 'agent', label: 'Agent', cell: (q) => html`<${Links} to="agents" names=${q.agents} />`, sort: (q) => q.agents.join() },
]

export function Overview({ session }) {
  const [query, change] = useQuery()
  const state = useData(path(['overview'], { namespace: session.namespace }), ['queues', 'operations', 'pods'])
  return html`<${Title}>Overview</${Title}>
    <${Loaded} of=${state}>${(o) => html`
      <${Notes} of=${o.notes} />
      <ul class="figures" aria-label="Operations by status">
        <li><strong>${o.running}</strong> running in all queues</li>
        <li><strong>${o.waiting}</strong> waiting</li>
        ${everyStatus.filter((s) => o.statuses?.[s]).map((s) => html`<li key=${s}><a href=${path(['operations'], { status: s })}><${Status} status=${s} note=${o.statuses[s]} /></a></li>`)}
      </ul>
      <h2>Queues</h2>
      <${Table} caption="Queues" columns=${columns} rows=${o.queues} rowKey=${(q) => q.name} order=${query.sort} onOrder=${(sort) => change({ sort })}
        empty="There is no queue yet: qy queues create makes one." />
      ${o.failures.length > 0 && html`<h2>Failed last</h2>
        <ul class="failures">${o.failures.map((f) => html`<li key=${f.namespace + '/' + f.name}>
          <${Status} status="failed" /> <a href=${path(['operations', f.namespace, f.name])}>${f.namespace}/${f.name}</a> <${Ago} time=${f.time} suffix=" ago" />
          <p class="message">${f.reason}: ${f.message}</p></li>`)}</ul>`}`}
    </${Loaded}>`
}
