import { html } from '../vendor/htm-preact.js'
import { List, column } from '../parts/list.js'
import { Progress } from '../parts/counts.js'

const columns = [
  column.name(() => 'workflows'), column.namespace, column.status,
  { key: 'progress', label: 'Progress', class: 'progress-cell', cell: (r) => html`<${Progress} of=${r.counts} />` },
  column.queue, column.project, column.age, column.ran, column.why,
]

export const Workflows = () => html`<${List} title="Workflows" resource="workflows" columns=${columns} kinds=${['workflows', 'operations']} picks=${[['children', 'Parts of others', ['shown'], 'left out']]} />`
