import { html } from '../vendor/htm-preact.js'
import { useData } from '../parts/api.js'
import { path, useQuery } from '../parts/router.js'
import { Title, Loaded, Facts } from '../parts/layout.js'
import { Status } from '../parts/status.js'
import { At, lasting, useNow } from '../parts/time.js'
import { Progress } from '../parts/counts.js'
import { Gantt, Legend, Patterns } from '../parts/gantt.js'
import { LoadChart } from '../parts/load.js'
import { Graph } from '../parts/graph.js'

// What happens to operations and workflows of a namespace.
export const inNamespace = (namespace) => (change) =>
  ['operations', 'workflows'].some((k) => change[k]?.some((n) => n === '*' || n.startsWith(namespace + '/')))

// When it ended, or now.
export function useEnd(page) {
  const now = useNow(!page.finished)
  return page.finished || Math.max(page.now, now)
}

export function Head({ page, end }) {
  return html`
    ${page.within.length > 0 && html`<nav class="within" aria-label="Workflows around it">${page.within.map((name) => html`<a key=${name} href=${path(['workflows', page.namespace, name])}>${name}</a><span aria-hidden="true"> › </span>`)}</nav>`}
    <p><${Status} status=${page.status} /> ${page.message}</p>
    <${Progress} of=${page.counts} />
    <${Facts} of=${[
      ['Namespace', page.namespace], ['Project', page.project && html`<a href=${path(['projects', page.project])}>${page.project}</a>`],
      ['Queue', page.queue && html`<a href=${path(['queues', page.queue.split('/').at(-1)])}>${page.queue}</a>`],
      ['Created', html`<${At} time=${page.created} />`], ['Began', page.started && html`<${At} time=${page.started} />`], ['Ended', page.finished && html`<${At} time=${page.finished} />`],
      ['Took', page.started && lasting((end - page.started) / 1000)], ['Attempt', page.attempt > 1 && page.attempt],
    ]} />
    ${page.outputs && html`<p><span class="quiet">Outputs</span> <code>${JSON.stringify(page.outputs)}</code></p>`}`
}

// What a rule has stopped went as it should.
const byRule = new Set(['StoppedByPolicy', 'StoppedEarly'])

// nested are the names of those that are workflows.
export function Problems({ page, nested }) {
  const problems = (page.problems || []).filter((p) => !byRule.has(p.reason))
  return problems.length > 0 && html`<h2>What went wrong</h2>
    <ul class="failures">${problems.map((p) => html`<li key=${p.name}><${Status} status=${p.status} /> <a href=${path([nested.has(p.name) ? 'workflows' : 'operations', page.namespace, p.name])}>${p.name}</a>
      <p class="message">${p.reason}${p.message && `: ${p.message}`}</p></li>`)}</ul>`
}

function Shown({ page }) {
  const [query, change] = useQuery()
  const end = useEnd(page)
  const list = (name) => (query[name] ? query[name].split(',') : [])
  const fold = (id, open) => {
    const without = (name) => list(name).filter((x) => x !== id)
    change({ open: [...without('open'), ...(open ? [id] : [])].join(','), closed: [...without('closed'), ...(open ? [] : [id])].join(',') })
  }
  return html`
    <${Head} page=${page} end=${end} />
    ${page.matrix && html`<p><a href=${path(['workflows', page.namespace, page.name, 'sweep'])}>Its trials compared: table, best so far, params</a></p>`}
    <${Problems} page=${page} nested=${new Set(page.rows.filter((r) => r.kind === 'workflow').map((r) => r.name))} />
    <${Patterns} />
    <h2>When what ran</h2>
    <${Legend} />
    <${Gantt} page=${page} end=${end} fold=${fold} />
    ${page.hidden > 0 && html`<p class="quiet">${page.hidden} more are not shown here: <a href=${path(['operations'], { workflow: page.name })}>the list has them</a>.</p>`}
    <h2>How much at a time</h2>
    <${LoadChart} load=${page.load} limit=${page.limit} begin=${page.created} end=${end} />
    ${page.nodes?.length > 0 && html`<h2>Steps</h2><${Graph} page=${page} />`}`
}

export function Workflow({ namespace, name }) {
  const [query] = useQuery()
  const folds = ['open', 'closed'].flatMap((k) => (query[k] ? query[k].split(',').map((id) => [k, id]) : []))
  const text = new URLSearchParams(folds).toString()
  const state = useData(path(['workflows', namespace, name]) + (text && '?' + text), inNamespace(namespace))
  const shown = state.data ? state : { ...state, data: state.stale }
  return html`<${Title} name=${name}>Workflow ${name}</${Title}><${Loaded} of=${shown}>${(page) => html`<${Shown} page=${page} />`}</${Loaded}>`
}
