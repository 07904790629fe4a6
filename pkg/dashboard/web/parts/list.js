// A list of any number of rows, with what it is filtered by.
import { html, useEffect, useState } from '../vendor/htm-preact.js'
import { useData } from './api.js'
import { path, useQuery } from './router.js'
import { Title, Notes } from './layout.js'
import { Status, everyStatus } from './status.js'
import { Ago, between } from './time.js'
import { LongTable } from './table.js'

// Columns that several lists have.
export const column = {
  name: (pageOf) => ({ key: 'name', label: 'Name', sort: true, class: 'name', cell: (r) => html`<a href=${path([pageOf(r), r.namespace, r.name])} title=${r.name}>${r.name}</a>` }),
  namespace: { key: 'namespace', label: 'Namespace', class: 'medium', cell: (r) => r.namespace },
  status: { key: 'status', label: 'Status', sort: true, class: 'status', cell: (r) => html`<${Status} status=${r.status} />` },
  queue: { key: 'queue', label: 'Queue', sort: true, cell: (r) => r.queue && html`<a href=${path(['queues', r.queue.split(/[/.]/).pop()])}>${r.queue}</a>` },
  project: { key: 'project', label: 'Project', sort: true, cell: (r) => r.project },
  age: { key: 'created', label: 'Age', sort: true, class: 'number narrow', cell: (r) => html`<${Ago} time=${r.created} />` },
  ran: { key: 'started', label: 'Ran', sort: true, class: 'number narrow', cell: (r) => (r.started ? (r.ended ? between(r.started, r.ended) : html`<${Ago} time=${r.started} />`) : '–') },
  why: { key: 'message', label: 'Why', class: 'message-cell', cell: (r) => html`<span title=${r.message}>${r.message || r.reason}</span>` },
}

// What lists are filtered by.
const filters = ['namespace', 'queue', 'project', 'workflow', 'children', 'status', 'kind', 'filter', 'sort']

// resource is what is listed; picks are filters of its own: [[name, label, options, what none means], …].
export function List({ title, resource, columns, kinds, picks }) {
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
  const source = path([resource], Object.fromEntries(filters.map((f) => [f, query[f]])))
  const chosen = (query.status || '').split(',').filter(Boolean)
  const toggle = (s) => change({ status: (chosen.includes(s) ? chosen.filter((x) => x !== s) : [...chosen, s]).join(',') })
  const pick = ([name, label, options = [], none = 'all']) => html`<p key=${name}><label for=${'f-' + name}>${label}</label>
    <select id=${'f-' + name} value=${query[name] || ''} onChange=${(e) => change({ [name]: e.target.value })}>
      <option value="">${none}</option>${[...new Set([...options, ...(query[name] ? [query[name]] : [])])].map((o) => html`<option key=${o} value=${o}>${o}</option>`)}
    </select></p>`
  return html`<${Title}>${title}</${Title}>
    <form class="filters" role="search" aria-label="Filters" onSubmit=${(e) => e.preventDefault()}>
      <p><label for="f-text">Name or reason</label><input id="f-text" type="search" value=${text} onInput=${(e) => setText(e.target.value)} /></p>
      ${[['namespace', 'Namespace', namespaces.data?.items], ['queue', 'Queue', queues.data?.queues.map((q) => q.name)], ...picks].map(pick)}
      ${query.workflow && pick(['workflow', 'Workflow'])}
      ${query.project && pick(['project', 'Project'])}
    </form>
    <div class="chips" role="group" aria-label="Statuses">
      ${everyStatus.filter((s) => page?.statuses[s] || chosen.includes(s)).map((s) => html`<button key=${s} class="toggle" aria-pressed=${chosen.includes(s) ? 'true' : 'false'} onClick=${() => toggle(s)}>
        <${Status} status=${s} note=${page?.statuses[s] || 0} /></button>`)}
      <span class="quiet" role="status">${page ? `${page.total} ${page.total === 1 ? 'row' : 'rows'}` : ''}</span>
    </div>
    <${Notes} of=${page?.notes} />
    <${LongTable} caption=${title} columns=${columns} source=${source} kinds=${kinds} rowKey=${(r) => `${r.kind}/${r.namespace}/${r.name}`}
      order=${query.sort || '-created'} onOrder=${(sort) => change({ sort })} onPage=${setPage} empty="Nothing is like this." />`
}
