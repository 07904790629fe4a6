// What is around every page.
import { html, useEffect, useRef, useState } from '../vendor/htm-preact.js'
import { useLive, announce } from './api.js'
import { path } from './router.js'
import { signOut } from './session.js'

export function Frame({ session, routes, children }) {
  const here = '/' + (location.pathname.split('/')[1] || '')
  return html`
    <a class="skip" href="#content" onClick=${(e) => { e.preventDefault(); document.getElementById('content').focus() }}>Skip to the content</a>
    <header class="top">
      <a class="brand" href="/"><img src="/assets/icon.svg" alt="" width="22" height="22" />Queueyard</a>
      <nav aria-label="Pages"><ul>
        ${routes.filter((r) => r.nav).map((r) => html`<li key=${r.path}><a href=${r.path} aria-current=${r.path === here ? 'page' : null}>${r.nav}</a></li>`)}
      </ul></nav>
      <div class="aside">
        <${Live} />
        ${session.readOnly && html`<span class="tag">read only</span>`}
        <${Theme} />
        <span class="user" title=${`signed in as ${session.user}`}>${session.user}</span>
        ${session.signIn === 'token' && html`<button class="plain" onClick=${signOut}>Sign out</button>`}
      </div>
    </header>
    <main id="content" tabindex="-1">${children}</main>
    <footer class="quiet">Queueyard ${session.version}</footer>
    <div id="announcer" class="unseen" aria-live="polite" role="status"></div>`
}

function Live() {
  const live = useLive()
  const [late, setLate] = useState(false)
  const known = useRef(false)
  useEffect(() => {
    if (live) {
      if (known.current && late) announce('Live again.')
      known.current = true
      setLate(false)
      return
    }
    const timer = setTimeout(() => { setLate(true); announce('The connection is lost. What is shown may be old.') }, 3000)
    return () => clearTimeout(timer)
  }, [live])
  return html`<span class="live ${late ? 'lost' : ''}"><span aria-hidden="true">${late ? '○' : '●'}</span> ${late ? 'not live' : 'live'}</span>`
}

// Light, dark, or as the system has it.
function Theme() {
  const [theme, set] = useState(document.documentElement.dataset.theme || '')
  const dark = theme ? theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches
  const change = () => {
    const next = dark ? 'light' : 'dark'
    document.documentElement.dataset.theme = next
    localStorage.setItem('theme', next)
    set(next)
  }
  return html`<button class="plain" onClick=${change} aria-label=${`Use the ${dark ? 'light' : 'dark'} theme`}><span aria-hidden="true">${dark ? '☀' : '☾'}</span></button>`
}

// The heading of a page. It gets the focus when one comes to the page, so that it is read out.
export function Title({ children, name }) {
  const h1 = useRef()
  useEffect(() => {
    const text = name || h1.current.textContent
    document.title = `${text} · Queueyard`
    if (Title.second) h1.current.focus({ preventScroll: true })
    Title.second = true
  }, [])
  return html`<h1 tabindex="-1" ref=${h1}>${children}</h1>`
}

export function Broken({ error }) {
  return html`<div class="notice bad" role="alert"><strong>${error.reason || 'Error'}</strong> ${error.message}</div>`
}

export function NotFound() {
  return html`<${Title}>Nothing is here</${Title}><p>There is no page of this address. <a href="/">To the overview.</a></p>`
}

// The data of useData, or why there are none: <${Loaded} of=${state}>${(data) => html`…`}</${Loaded}>.
export function Loaded({ of: state, children: show }) {
  if (state.error && !state.data) return html`<${Broken} error=${state.error} />`
  if (!state.data) return html`<p class="quiet" aria-busy="true">Loading …</p>`
  return html`${state.error && html`<${Broken} error=${state.error} />`}${show(state.data)}`
}

export function Notes({ of: notes }) {
  return notes?.length ? html`<ul class="notice">${notes.map((n) => html`<li key=${n}>${n}</li>`)}</ul>` : null
}

// Who keeps what of limits: a text of the API.
export const Withheld = ({ of: says }) => says && html`<div class="notice">Of its limits ${says}.</div>`

// A group of facts: [[name, value], …]; those without a value are left out.
export function Facts({ of: facts }) {
  return html`<dl class="facts">${facts.filter(([, v]) => v !== null && v !== undefined && v !== '' && v !== false).map(([n, v]) => html`<div key=${n}><dt>${n}</dt><dd>${v}</dd></div>`)}</dl>`
}

// Names, each a link to the page of it.
export const Links = ({ to, names }) => names.map((n, i) => html`${i > 0 && ', '}<a key=${n} href=${path([to, n])}>${n}</a>`)

// Parts of a page of which one is shown; which is in the address. tabs: [[key, label, content function], …].
export function Tabs({ tabs, query, change, name = 'tab', label }) {
  const now = tabs.find(([k]) => k === query[name]) || tabs[0]
  const list = useRef()
  const keys = (e) => {
    const i = tabs.indexOf(now), step = { ArrowRight: 1, ArrowLeft: -1 }[e.key]
    const next = e.key === 'Home' ? 0 : e.key === 'End' ? tabs.length - 1 : step ? (i + step + tabs.length) % tabs.length : -1
    if (next < 0) return
    e.preventDefault()
    change({ [name]: next ? tabs[next][0] : '' })
    list.current.children[next].focus()
  }
  return html`
    <div class="tabs" role="tablist" aria-label=${label} ref=${list} onKeyDown=${keys}>
      ${tabs.map(([k, text], i) => html`<button key=${k} role="tab" id=${`tab-${k}`} aria-selected=${k === now[0] ? 'true' : 'false'} aria-controls="tab-panel"
        tabindex=${k === now[0] ? 0 : -1} onClick=${() => change({ [name]: i ? k : '' })}>${text}</button>`)}
    </div>
    <div role="tabpanel" id="tab-panel" aria-labelledby=${`tab-${now[0]}`} key=${now[0]}>${now[2]()}</div>`
}
