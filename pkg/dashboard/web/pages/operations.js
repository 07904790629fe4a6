import { html } from '../vendor/htm-preact.js'
import { List, column } from '../parts/list.js'

const pageOf = { operation: 'operations', job: 'jobs', pod: 'pods' }

const columns = [
  column.name((r) => pageOf[r.kind]),
  { key: 'kind', label: 'Kind', class: 'narrow', cell: (r) => (r.pods > 1 ? `${r.kind} ×${r.pods}` : r.kind) },
  column.namespace, column.status, column.queue, column.project,
  { key: 'priority', label: 'Priority', sort: true, class: 'number narrow', cell: (r) => r.priority },
  column.age, column.ran, column.why,
]

export const Operations = () => html`<${List} title="Operations" resource="operations" columns=${columns} kinds=${['operations', 'pods']} picks=${[['kind', 'Kind', Object.keys(pageOf)]]} />`
