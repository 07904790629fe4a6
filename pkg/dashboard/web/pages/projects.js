import { html } from '../vendor/htm-preact.js'
import { useData } from '../parts/api.js'
import { path } from '../parts/router.js'
import { Facts, Links, Loaded, Notes, Title, Withheld } from '../parts/layout.js'
import { Meters } from '../parts/bars.js'
import { Table } from '../parts/table.js'

const link = (kind, name) => html`<a href=${path([kind, name])}>${name}</a>`
const queue = (name) => html`<a href=${path(['queues', name.split(/[/.]/).pop()])}>${name}</a>`
const byDefault = (t) => html`${queue(t.defaultQueue)} <span class="quiet">${t.defaultFrom}</span>`
const notices = (t) => html`${t.problem && html`<div class="notice bad">${t.problem}</div>`}<${Withheld} of=${t.withheld} />`

const where = (p) => html`${p.namespaces.join(', ')}${p.selector && html`${p.namespaces.length > 0 && '; '}labels ${p.selector}${p.selected && html` <span class="quiet">(now ${p.selected.join(', ') || 'none'})</span>`}`}
  ${!p.namespaces.length && !p.selector && html`<span class="quiet">none: nobody may use it</span>`}`

const projects = [
  { key: 'name', label: 'Project', cell: (p) => link('projects', p.name) },
  { key: 'org', label: 'Organization', cell: (p) => p.organization && link('organizations', p.organization) },
  { key: 'default', label: 'Default queue', cell: byDefault },
  { key: 'allowed', label: 'Queues it may use', cell: (p) => (p.allowedQueues.length ? p.allowedQueues.join(', ') : 'all') },
  { key: 'who', label: 'Namespaces', cell: where },
  { key: 'use', label: 'In use', class: 'wide', cell: (p) => html`<${Meters} of=${p.meters} />` },
  { key: 'problem', label: 'Problem', cell: (p) => p.problem },
]
const organizations = [
  { key: 'name', label: 'Organization', cell: (o) => link('organizations', o.name) },
  { key: 'default', label: 'Default queue', cell: byDefault },
  { key: 'projects', label: 'Projects', cell: (o) => html`<${Links} to="projects" names=${o.projects} />` },
  { key: 'use', label: 'In use', class: 'wide', cell: (o) => html`<${Meters} of=${o.meters} />` },
  { key: 'problem', label: 'Problem', cell: (o) => o.problem },
]
const kinds = ['projects', 'organizations', 'queues', 'namespaces']
const shares = [
  { key: 'agent', label: 'Agent', cell: (s) => link('agents', s.agent) },
  { key: 'share', label: 'Its share', cell: (s) => html`<code>${JSON.stringify({ ...s, agent: undefined })}</code>` },
]

export function Projects() {
  const state = useData('/tenants', kinds)
  return html`<${Title}>Projects</${Title}>
    <${Loaded} of=${state}>${(t) => html`<${Notes} of=${t.notes} />
      <h2>Projects</h2><${Table} caption="Projects" columns=${projects} rows=${t.projects} rowKey=${(p) => p.name} empty="There is no project: operations count against queues and agents alone." />
      <h2>Organizations</h2><${Table} caption="Organizations" columns=${organizations} rows=${t.organizations} rowKey=${(o) => o.name} empty="There is no organization." />`}
    </${Loaded}>`
}

export function Project({ name }) {
  const state = useData('/tenants', kinds)
  return html`<${Title} name=${`Project ${name}`}>Project ${name}</${Title}>
    <${Loaded} of=${state}>${(t) => {
      const p = t.projects.find((x) => x.name === name)
      if (!p) return html`<p>There is no project ${name}. <a href="/projects">All projects.</a></p>`
      return html`${notices(p)}<div class="columns"><section class="card" aria-labelledby="use"><h2 id="use">Limits</h2><${Meters} of=${p.meters} /></section>
        <section class="card" aria-labelledby="who"><h2 id="who">Who may use what</h2><${Facts} of=${[['Organization', p.organization && link('organizations', p.organization)], ['Default queue', byDefault(p)],
          ['Namespaces', where(p)], ['Allowed queues', p.allowedQueues.length ? p.allowedQueues.join(', ') : 'all'], ['Queues it may use now', html`<${Links} to="queues" names=${p.queues} />`]]} /></section></div>
        ${p.shares?.length > 0 && html`<h2>Shares of other clusters</h2><${Table} caption="Shares" columns=${shares} rows=${p.shares} rowKey=${(s) => s.agent} />`}
        <p><a href=${path(['operations'], { project: name })}>Operations of the project</a></p>`
    }}</${Loaded}>`
}

export function Organization({ name }) {
  const state = useData('/tenants', kinds)
  return html`<${Title} name=${`Organization ${name}`}>Organization ${name}</${Title}>
    <${Loaded} of=${state}>${(t) => {
      const o = t.organizations.find((x) => x.name === name)
      if (!o) return html`<p>There is no organization ${name}. <a href="/projects">All organizations.</a></p>`
      return html`${notices(o)}<div class="columns"><section class="card" aria-labelledby="use"><h2 id="use">Limits</h2><${Meters} of=${o.meters} /><${Facts} of=${[['Default queue', byDefault(o)]]} /></section></div>
        <h2>Its projects</h2><${Table} caption="Projects" columns=${projects} rows=${t.projects.filter((p) => p.organization === name)} rowKey=${(p) => p.name} empty="It has no project." />`
    }}</${Loaded}>`
}
