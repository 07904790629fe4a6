import { html } from '../vendor/htm-preact.js'
import { useData } from '../parts/api.js'
import { path, useQuery } from '../parts/router.js'
import { Facts, Links, Loaded, Notes, Tabs, Title, Withheld } from '../parts/layout.js'
import { Meters } from '../parts/bars.js'
import { Status } from '../parts/status.js'
import { Ago } from '../parts/time.js'
import { Table } from '../parts/table.js'
import { StepChart } from '../parts/chart.js'
import { Actions } from '../parts/actions.js'
import { Thing } from '../parts/gates.js'
import { Yaml } from '../parts/yaml.js'
import { priority, waited } from './overview.js'

const windows = [['15m', '15 minutes'], ['1h', 'hour'], ['6h', '6 hours'], ['24h', 'day']]

const line = [
  { key: 'position', label: 'Position', class: 'number', cell: (r) => (r.position === 0 ? 'never' : r.position ?? '–') },
  { key: 'name', label: 'Name', cell: (r) => html`<${Thing} ...${r} />${r.pods > 1 ? ` (${r.pods} pods)` : ''}` },
  { key: 'namespace', label: 'Namespace', cell: (r) => r.namespace },
  { key: 'priority', label: 'Priority', class: 'number', cell: (r) => r.priority },
  { key: 'since', label: 'Waits', class: 'number', cell: (r) => html`<${Ago} time=${r.since} />` },
  { key: 'why', label: 'Why', cell: (r) => r.message || r.reason },
]
const holders = [
  { key: 'name', label: 'Name', cell: (r) => html`<${Thing} ...${r} />${r.pods > 1 ? ` (${r.pods} pods)` : ''}` },
  { key: 'namespace', label: 'Namespace', cell: (r) => r.namespace },
  { key: 'status', label: 'Status', cell: (r) => html`<${Status} status=${r.status} />` },
  { key: 'project', label: 'Project', cell: (r) => r.project },
  { key: 'started', label: 'For', class: 'number', cell: (r) => html`<${Ago} time=${r.started} />` },
]
const id = (r) => `${r.kind}/${r.namespace}/${r.name}/${r.pod || ''}`

export function Queue({ name, session }) {
  const [query, change] = useQuery()
  const state = useData(path(['queues', name], { window: query.window, namespace: session.namespaced && session.namespace }), ['queues', 'operations', 'pods'])
  return html`<${Title} name=${`Queue ${name}`}>Queue ${name}</${Title}>
    <${Loaded} of=${state}>${(q) => html`
      <div class="headline"><${Status} status=${q.problem && q.state === 'Open' ? 'Not ready' : q.state} />
        <${Actions} of=${q.actions} on=${{ kind: 'queue', name }} after=${state.again} /></div>
      ${q.problem && html`<div class="notice bad">${q.problem}</div>`}
      <${Withheld} of=${q.withheld} />
      <${Notes} of=${q.notes} />
      <div class="columns">
        <section class="card" aria-labelledby="limits"><h2 id="limits">Limits</h2><${Meters} of=${q.meters} />
          <${Facts} of=${[[q.agents.length > 1 ? 'Agents' : 'Agent', html`<${Links} to="agents" names=${q.agents} />`], ['Priority', priority(q.priority)], ['Guaranteed', q.guaranteed > 0 && `${q.guaranteed} seats`], ['Strategy', q.strategy],
            ['Preemption', q.preemption], ['Wait p50 / p95', waited(q.waits)], ['Oldest waits', q.oldest && html`<${Ago} time=${q.oldest} />`]]} /></section>
        <section class="card" aria-labelledby="use"><h2 id="use">Use over the last${' '}
          <select aria-label="How far back" value=${query.window || '1h'} onChange=${(e) => change({ window: e.target.value === '1h' ? '' : e.target.value })}>${windows.map(([k, t]) => html`<option key=${k} value=${k}>${t}</option>`)}</select></h2>
          <${StepChart} caption=${`Use of queue ${name}`} from=${q.use.from} until=${q.use.until} limit=${q.concurrency}
            series=${[{ name: 'running', values: q.use.running, class: 'go' }, { name: 'waiting', values: q.use.waiting, class: 'wait' }]} />
          <p class="quiet">Of what still exists.</p></section>
      </div>
      <${Tabs} label="What is in the queue" query=${query} change=${change} tabs=${[
        ['line', `Waiting (${q.inLine})`, () => html`<${Table} caption="Waiting, in the order of admission" columns=${line} rows=${q.line} rowKey=${id} empty="Nothing waits." />
          ${q.inLine > q.line.length && html`<p>These are the first ${q.line.length}. <a href=${path(['operations'], { queue: name, status: 'queued,unschedulable' })}>All that wait.</a></p>`}`],
        ['running', `Running (${q.holders.length})`, () => html`<${Table} caption="Running" columns=${holders} rows=${q.holders} rowKey=${id} empty="Nothing runs." />`],
        ['yaml', 'YAML', () => html`<${Yaml} resource="queues" name=${name} />`],
      ]} />
      <p><a href=${path(['operations'], { queue: name })}>All operations of the queue</a></p>`}
    </${Loaded}>`
}
