// Why something waits: its gates in order, each open or closed, its place in the line, and who holds the room.
import { html } from '../vendor/htm-preact.js'
import { Icon } from './status.js'
import { At, useNow, lasting } from './time.js'
import { Notes } from './layout.js'
import { Table } from './table.js'
import { path } from './router.js'

const pages = { Operation: 'operations', Job: 'jobs', Pod: 'pods', Workflow: 'workflows' }

// A link to what there is a page of.
export function Thing({ kind, namespace, name }) {
  const page = pages[kind] || pages[kind?.[0]?.toUpperCase() + kind?.slice(1)]
  return page ? html`<a href=${path([page, namespace, name])}>${name}</a>` : name
}

export function Gates({ of: why, unanswered }) {
  const now = useNow(!!why.estimatedStart)
  const e = why.estimatedStart, h = why.holders
  return html`
    <p class="summary">It ${why.summary}.</p>
    ${why.gates?.length > 0 && html`<ol class="gates" aria-label="What it has to pass, in order">
      ${why.gates.map((g, i) => html`<li key=${i} class=${g.ok ? 'good' : 'bad'}><${Icon} shape=${g.ok ? 'check' : 'cross'} /><span class="unseen">${g.ok ? 'passed: ' : 'closed: '}</span>
        <span>${g.until ? html`pauses until <${At} time=${g.until} /> before the next attempt` : g.message}</span></li>`)}
    </ol>`}
    ${why.position > 0 && html`<p>Position <strong>${why.position}</strong> of ${why.waiting} in the line${why.queue && html` of queue <a href=${path(['queues', why.queue])}>${why.queue}</a>`}.</p>`}
    ${why.operationsAbove > 0 && html`<p>${why.operationsAbove} wait in queues of higher priority of agent <a href=${path(['agents', why.agent])}>${why.agent}</a>.</p>`}
    ${e && html`<p>It probably starts at <strong><${At} time=${e.time} /></strong>, ${new Date(e.time) > now ? 'in ' + lasting((new Date(e.time) - now) / 1000) : 'now'}: ${e.message}.</p>`}
    ${h?.operations > 0 && html`<h3>Who holds the room of ${h.limit.resource ? h.limit.resource + ' of ' : ''}${h.limit.kind.toLowerCase()} ${h.limit.name}</h3>
      <${Table} caption="Who holds the room" rows=${h.items || []} rowKey=${(x) => x.namespace + '/' + x.kind + '/' + x.name} empty="" columns=${[
        { key: 'name', label: 'Name', cell: (x) => html`<${Thing} ...${x} />` }, { key: 'ns', label: 'Namespace', cell: (x) => x.namespace }, { key: 'queue', label: 'Queue', cell: (x) => x.queue },
        { key: 'amount', label: 'Holds', class: 'number', cell: (x) => x.amount }, { key: 'ends', label: 'Ends by', cell: (x) => (x.endsBy ? html`<${At} time=${x.endsBy} />` : '–') }]} />
      ${h.hidden > 0 && html`<p class="quiet">and ${h.hidden} in namespaces that you may not see</p>`}`}
    <${Notes} of=${[...(unanswered ? ['The limits can’t be told: ' + unanswered + '.'] : []), ...(why.notes || [])]} />`
}
