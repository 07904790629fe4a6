import { html, useEffect, useState } from '../vendor/htm-preact.js'
import { useData } from '../parts/api.js'
import { path, useQuery } from '../parts/router.js'
import { Title, Notes } from '../parts/layout.js'
import { Status, everyStatus, words } from '../parts/status.js'
import { Ago, between } from '../parts/time.js'
import { LongTable } from '../parts/table.js'

const pageOf = { operation: 'operations', job: 'jobs', pod: 'pods' }

const columns = [
  { key: 'name', label: 'Name', sort: true, class: 'name', cell: (r) => html`<a href=${path([pageOf[r.kind], r.namespace, r.name])} title=${r.name}>${r.name}</a>` },
  { key: 'kind', label: 'Kind', class: 'narrow', cell: (r) => (r.pods > 1 ? `${r.kind} ×${r.pods}` : r.kind) },
  { key: 'namespace', label: 'Namespace', cell: (r) => r.namespace },
  { key: 'status', label: 'Status', sort: true, class: 'status', cell: (r) => html`<${Status} status=${r.status} />` },
  { key: 'queue', label: 'Queue', sort: true, cell: (r) => r.queue && html`<a href=${path(['queues', r.queue.split(/[/.]/).pop()])}>${r.queue}</a>` },
  { key: 'project', label: 'Project', sort: true, cell: (r) => r.project },
  { key: 'priority', label: 'Priority', sort: true, class: 'number narrow', cell: (r) => r.priority },
  { key: 'created', label: 'Age', sort: true, class: 'number narrow', cell: (r) => html`<${Ago} time=${r.created} />` },
  { key: 'started', label: 'Ran', sort: true, class: 'number narrow', cell: (r) => (r.started ? (r.ended ? between(r.started, r.ended) : html`<${Ago} time=${r.started} />`) : '–') },
  { key: 'message', label: 'Why', class: 'message-cell', cell: (r) => html`<span title=${r.message}>${r.message || r.reason}</span>` },
]

// What every list of operations is filtered by.
const filters = ['namespace', 'queue', 'project', 'workflow', 'status', 'kind', 'filter', 'sort']

export function Operations({ session }) {
  const [query, change] = useQuery()
  const [page, setPage] = useState(null)
  const namespaces = useData('/namespaces')
  const queues = useData(path(['overview']), ['queues'])
  const [text, setText] = useState(query.filter || '')
  useEffect(() => {
    if (text === (query.filter || '')) return
    const timer = setTimeout(() => change({ filter: text }), 250)
    return () => clearTimeout(timer)
  }, [text])
  const wanted = Object.fromEntries(filters.map((f) => [f, query[f]]))
  const source = path(['operations'], wanted)
  const chosen = (query.status || '').split(',').filter(Boolean)
  const toggle = (s) => change({ status: (chosen.includes(s) ? chosen.filter((x) => x !== s) : [...chosen, s]).join(',') })
  const pick = (name, label, options) => html`<p><label for=${'f-' + name}>${label}</label>
    <select id=${'f-' + name} value=${query[name] || ''} onChange=${(e) => change({ [name]: e.target.value })}>
      <option value="">all</option>${[...new Set([...(options || []), ...(query[name] ? [query[name]] : [])])].map((o) => html`<option key=${o} value=${o}>${o}</option>`)}
    </select></p>`
  return html`<${Title}>Operations</${Title}>
    <form class="filters" role="search" aria-label="Filters" onSubmit=${(e) => e.preventDefault()}>
      <p><label for="f-text">Name or reason</label><input id="f-text" type="search" value=${text} onInput=${(e) => setText(e.target.value)} /></p>
      ${pick('namespace', 'Namespace', namespaces.data?.items)}
      ${pick('queue', 'Queue', queues.data?.queues.map((q) => q.name))}
      ${pick('kind', 'Kind', Object.keys(pageOf))}
      ${query.workflow && pick('workflow', 'Workflow', [])}
      ${query.project && pick('project', 'Project', [])}
    </form>
    <div class="chips" role="group" aria-label="Statuses">
      ${everyStatus.filter((s) => page?.statuses[s] || chosen.includes(s)).map((s) => html`<button key=${s} class="toggle" aria-pressed=${chosen.includes(s) ? 'true' : 'false'} onClick=${() => toggle(s)}>
        <${Status} status=${s} note=${page?.statuses[s] || 0} /></button>`)}
      <span class="quiet" role="status">${page ? `${page.total} ${page.total === 1 ? 'row' : 'rows'}` : ''}</span>
    </div>
    <${Notes} of=${page?.notes} />
    <${LongTable} caption="Operations" columns=${columns} source=${source} kinds=${['operations', 'pods']} rowKey=${(r) => `${r.kind}/${r.namespace}/${r.name}`}
      order=${query.sort || '-created'} onOrder=${(sort) => change({ sort })} onPage=${setPage} empty="Nothing is like this." />`
}
