import { html } from '../vendor/htm-preact.js'
import { useData } from '../parts/api.js'
import { path } from '../parts/router.js'
import { Facts, Links, Loaded, Notes, Title } from '../parts/layout.js'
import { Meter, Meters } from '../parts/bars.js'
import { Status } from '../parts/status.js'
import { Ago } from '../parts/time.js'
import { Table } from '../parts/table.js'

const kinds = ['agents', 'queues', 'projects', 'organizations']
const queues = (a) => html`<${Links} to="queues" names=${a.queues} />`
const is = (a) => html`<${Status} status=${a.state !== 'Open' ? a.state : a.problem ? 'Not ready' : 'Ready'} />`
const kept = (all) => all.length > 0 && html`<ul class="notice" aria-label="Limits of which a part is withheld">${all.map((w) => html`<li key=${w.kind + w.name}>Of the limits of ${w.kind} <a href=${path([w.kind + 's', w.name])}>${w.name}</a> ${w.says}.</li>`)}</ul>`
const level = (p) => (p === -1 ? 'highest' : p)

const columns = [
  { key: 'name', label: 'Agent', cell: (a) => html`<a href=${path(['agents', a.name])}>${a.name}</a>` },
  { key: 'state', label: 'State', cell: is },
  { key: 'where', label: 'Where', cell: (a) => (a.remote ? 'another cluster' : 'this cluster') },
  { key: 'use', label: 'In use', class: 'wide', cell: (a) => html`<${Meters} of=${a.meters} />` },
  { key: 'pending', label: 'Waiting', class: 'number', cell: (a) => a.pending },
  { key: 'queues', label: 'Queues', cell: queues },
  { key: 'contact', label: 'Last contact', class: 'number', cell: (a) => (a.lastContact ? html`<${Ago} time=${a.lastContact} suffix=" ago" />` : '–') },
  { key: 'problem', label: 'Problem', cell: (a) => a.problem },
]
const levels = [
  { key: 'level', label: 'Priority', cell: (l) => level(l.priority) },
  { key: 'used', label: 'Used of its seats', class: 'wide', cell: (l) => html`<${Meter} label="" of=${{ name: `seats of priority ${level(l.priority)}`, used: l.used, limit: l.seats, usedText: String(l.used), limitText: String(l.seats) }} />` },
  { key: 'demand', label: 'Demand', class: 'number', cell: (l) => l.demand },
]

export function Agents() {
  const state = useData('/agents', kinds)
  return html`<${Title}>Agents</${Title}><${Loaded} of=${state}>${(d) => html`<${Notes} of=${d.notes} />${kept(d.withheld)}
    <${Table} caption="Agents" columns=${columns} rows=${d.items} rowKey=${(a) => a.name} empty="There is no agent." />`}</${Loaded}>`
}

export function Agent({ name }) {
  const state = useData('/agents', kinds)
  return html`<${Title} name=${`Agent ${name}`}>Agent ${name}</${Title}><${Loaded} of=${state}>${(d) => {
    const a = d.items.find((x) => x.name === name)
    if (!a) return html`<p>There is no agent ${name}. <a href="/agents">All agents.</a></p>`
    const r = a.report
    return html`<div class="headline">${is(a)} <span class="quiet">${a.remote ? 'in another cluster' : 'in this cluster'}</span></div>
      ${a.problem && html`<div class="notice bad">${a.problem}</div>`}${kept(d.withheld.filter((w) => w.says.includes(`agent ${name},`)))}
      <section class="card" aria-label="Facts"><${Meters} of=${a.meters} /><${Facts} of=${[['Queues', queues(a)], ['Waiting', a.pending], ['Namespace', a.namespace], ['Last contact', a.lastContact && html`<${Ago} time=${a.lastContact} suffix=" ago" />`],
        ['Prices per hour', Object.entries(a.prices || {}).map(([k, v]) => `${k} ${v}`).join(', ')], ['Version', r?.version], ['Kubernetes', r?.kubernetesVersion], ['Nodes', r?.nodes],
        ['Allocatable', Object.entries(r?.allocatable || {}).map(([k, v]) => `${k} ${v}`).join(', ')]]} /></section>
      <h2>Seats by priority</h2><${Table} caption="Seats by priority, the highest first" columns=${levels} rows=${a.levels} rowKey=${(l) => l.priority} empty="Its seats are not divided yet." />`
  }}</${Loaded}>`
}
