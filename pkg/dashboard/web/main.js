// The page of Queueyard. How it is put together:
//
//   - No build step: these files are what the browser loads. Rendering is Preact with htm (vendor/htm-preact.js).
//   - pages/NAME.js holds a page and exports its component; the table `routes` below says which path shows it. The component
//     gets the parameters of its path as props: "/queues/:name" gives {name}. A page shows one <h1>: <${Title}>…</${Title}>.
//   - parts/*.js are what pages share: api.js (data and actions), router.js (links, the query), table.js (virtual rows, sorting),
//     list.js (filters and columns of long lists), status.js (chips), bars.js (meters), timeline.js, gates.js, chart.js, time.js, layout.js (title, tabs, notices).
//   - useData(path, kinds) gives what GET /api/v1<path> answers, and asks again when objects of these kinds change:
//     useData(`/queues/${name}`, ['queues', 'operations']). Kinds are resources in the plural; `kinds` may also be a function of
//     a change, {operations: ['team/train'], …}, that says whether it matters. "*" among the names says that it was many.
//   - What a page shows is told by its path and query alone (useQuery), so that every view is a link.
//   - The order of rows is the server's, total, and the same every time.
//   - Nothing is said by colour alone; what moves is told once, politely (announce). No inline style attributes in markup
//     strings: the content policy forbids them; style objects (style=${{width: '3px'}}) are set by script, and may be.
import { html, render, useEffect } from './vendor/htm-preact.js'
import { useRoute } from './parts/router.js'
import { useSession } from './parts/session.js'
import { Frame, NotFound, Broken } from './parts/layout.js'
import { SignIn } from './pages/signin.js'
import { Overview } from './pages/overview.js'
import { Workflows } from './pages/workflows.js'
import { Workflow } from './pages/workflow.js'
import { Sweep } from './pages/sweep.js'
import { Operations } from './pages/operations.js'
import { Operation, Job, Pod } from './pages/operation.js'
import { Queue } from './pages/queue.js'
import { Projects, Project, Organization } from './pages/projects.js'
import { Agents, Agent } from './pages/agents.js'

// In the order in which they are tried. `nav` puts a page into the navigation.
const routes = [
  { path: '/', page: Overview, nav: 'Overview' },
  { path: '/operations', page: Operations, nav: 'Operations' },
  { path: '/operations/:namespace/:name', page: Operation },
  { path: '/workflows', page: Workflows, nav: 'Workflows' },
  { path: '/workflows/:namespace/:name', page: Workflow },
  { path: '/workflows/:namespace/:name/sweep', page: Sweep },
  { path: '/jobs/:namespace/:name', page: Job },
  { path: '/pods/:namespace/:name', page: Pod },
  { path: '/queues/:name', page: Queue },
  { path: '/projects', page: Projects, nav: 'Projects' },
  { path: '/projects/:name', page: Project },
  { path: '/organizations/:name', page: Organization },
  { path: '/agents', page: Agents, nav: 'Agents' },
  { path: '/agents/:name', page: Agent },
]

function App() {
  const [session, error] = useSession()
  const { page: Page, params } = useRoute(routes)
  useEffect(() => {
    const theme = localStorage.getItem('theme')
    if (theme) document.documentElement.dataset.theme = theme
  }, [])
  if (error) return html`<main class="alone"><${Broken} error=${error} /></main>`
  if (!session) return html`<main class="alone" aria-busy="true"></main>`
  if (!session.user) return html`<${SignIn} session=${session} />`
  return html`<${Frame} session=${session} routes=${routes}>
    ${Page ? html`<${Page} key=${location.pathname} ...${params} session=${session} />` : html`<${NotFound} />`}
  </${Frame}>`
}

render(html`<${App} />`, document.getElementById('app'))
