// An operation, a Job, or a pod.
import { html } from '../vendor/htm-preact.js'
import { useData } from '../parts/api.js'
import { path, useQuery } from '../parts/router.js'
import { Facts, Loaded, Notes, Tabs, Title } from '../parts/layout.js'
import { Status } from '../parts/status.js'
import { Ago, At, lasting } from '../parts/time.js'
import { Table } from '../parts/table.js'
import { Timeline } from '../parts/timeline.js'
import { Gates } from '../parts/gates.js'
import { Actions } from '../parts/actions.js'
import { Logs } from '../parts/logs.js'
import { Yaml } from '../parts/yaml.js'

const failed = new Set(['failed', 'upstream_failed'])
const resources = (list) => Object.entries(list || {}).map(([k, v]) => `${k} ${v}`).join(', ')

const podColumns = [
  { key: 'name', label: 'Pod', cell: (p) => html`<a href=${path(['pods', p.namespace, p.name])}>${p.name}</a>` },
  { key: 'attempt', label: 'Attempt', class: 'number', cell: (p) => p.attempt },
  { key: 'status', label: 'Status', cell: (p) => html`<${Status} status=${p.status} />` },
  { key: 'node', label: 'Node', cell: (p) => p.node },
  { key: 'age', label: 'Age', class: 'number', cell: (p) => html`<${Ago} time=${p.created} />` },
  { key: 'message', label: 'Message', cell: (p) => p.message },
]
const eventColumns = [
  { key: 'time', label: 'When', cell: (e) => html`<${At} time=${e.time} />${e.count > 1 ? ` ×${e.count}` : ''}` },
  { key: 'type', label: 'Type', cell: (e) => (e.type === 'Warning' ? html`<span class="chip warn">Warning</span>` : e.type) },
  { key: 'reason', label: 'Reason', cell: (e) => e.reason },
  { key: 'object', label: 'Object', cell: (e) => e.object },
  { key: 'message', label: 'Message', cell: (e) => e.message },
]

function Values({ title, of: values }) {
  const list = Object.entries(values || {})
  return list.length > 0 && html`<h3>${title}</h3><${Facts} of=${list.map(([k, v]) => [k, html`<code>${typeof v === 'string' ? v : JSON.stringify(v)}</code>`])} />`
}

function Events({ resource, namespace, name, kinds }) {
  const state = useData(path(['events', resource, namespace, name]), kinds)
  return html`<${Loaded} of=${state}>${({ items }) => html`<${Table} caption="Events, the newest first" columns=${eventColumns} rows=${items.map((e, i) => ({ ...e, i }))} rowKey=${(e) => e.i} empty="There are no events; they are kept for an hour." />`}</${Loaded}>`
}

export const Operation = (props) => html`<${Detail} resource="operations" kind="operation" ...${props} />`
export const Job = (props) => html`<${Detail} resource="jobs" kind="job" ...${props} />`
export const Pod = (props) => html`<${Detail} resource="pods" kind="pod" ...${props} />`

function Detail({ resource, kind, namespace, name }) {
  const [query, change] = useQuery()
  const mine = new Set([`${namespace}/${name}`, '*'])
  // Its pods bear its name in theirs; while it waits, its place moves with those of its queue.
  const concerns = (c) => ['operations', 'pods', 'queues'].some((k) => c[k]?.some((n) => mine.has(n) || n.startsWith(`${namespace}/${name}`))) || !!c.queues
  const state = useData(path([resource, namespace, name]), concerns)
  return html`<${Title} name=${name}>${name}</${Title}>
    <${Loaded} of=${state}>${(o) => html`
      <div class="headline"><${Status} status=${o.status} /> <span class="quiet">${kind} in namespace ${namespace}</span>
        <${Actions} of=${o.actions} on=${{ kind, namespace, name }} now=${o} after=${state.again} /></div>
      <${Notes} of=${o.notes} />
      ${failed.has(o.status) && html`<section class="notice bad failure" aria-label="Why it failed"><strong>${o.reason}</strong><p class="message">${o.message}</p>
        <p>${[o.failureClass && `failure of kind ${o.failureClass}`, o.exitCode != null && `exit code ${o.exitCode}`, o.attempt > 1 && `attempt ${o.attempt}`].filter(Boolean).join(', ')}
          ${' '}<a href=${path([resource, namespace, name], { tab: 'logs' })}>Its log</a></p></section>`}
      <section class="card" aria-label="Facts"><${Facts} of=${[
        ['Queue', o.queue && html`<a href=${path(['queues', o.queue.split(/[/.]/).pop()])}>${o.queue}</a>`],
        ['Project', o.project && html`<a href=${path(['projects'])}>${o.project}</a>`], ['Organization', o.organization],
        ['Workflow', o.workflow && html`<a href=${path(['workflows', namespace, o.workflow])}>${o.workflow}</a>`], ['Priority', o.priority], ['Agent', o.agent && html`<a href=${path(['agents', o.agent])}>${o.agent}</a>`],
        ['Attempt', o.attempt], ['Retries', o.maxRetries != null && `${o.retries || 0} of ${o.maxRetries}`], ['Pods', kind === 'job' && o.pods], ['Asks for', resources(o.requests)], ['Cost per hour', o.cost], ['Component', o.component?.name],
        ['Approved by', o.approvedBy], ['Waited', o.timeline?.queued > 0 && lasting(o.timeline.queued)], ['Ran', o.timeline?.running > 0 && lasting(o.timeline.running)], ['Created', html`<${At} time=${o.created} />`]]} />
        <${Values} title="Outputs" of=${o.outputs} /><${Values} title="Params" of=${o.params} /></section>
      <${Tabs} label="More of it" query=${query} change=${change} tabs=${[
        ['statuses', 'Statuses', () => html`<div class="columns">
          <section class="card" aria-labelledby="timeline"><h2 id="timeline">Statuses</h2><${Timeline} of=${o.timeline} /></section>
          ${o.why && html`<section class="card" aria-labelledby="why"><h2 id="why">${o.why.gates?.some((g) => !g.ok) ? 'Why it waits' : 'Where it stands'}</h2><${Gates} of=${o.why} unanswered=${o.unanswered} /></section>`}</div>`],
        ['pods', `Pods (${o.podList.length})`, () => html`<${Table} caption="Pods, the newest first" columns=${podColumns} rows=${o.podList} rowKey=${(p) => p.name} empty="It has no pod now." />`],
        ['events', 'Events', () => html`<${Events} resource=${resource} namespace=${namespace} name=${name} kinds=${concerns} />`],
        ['logs', 'Logs', () => html`<${Logs} pods=${o.podList} query=${query} change=${change} />`],
        ['yaml', 'YAML', () => html`<${Yaml} resource=${resource} namespace=${namespace} name=${name} />`],
      ]} />`}
    </${Loaded}>`
}
