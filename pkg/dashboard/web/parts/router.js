// Links inside the page, and what the address says.
import { useEffect, useState } from '../vendor/htm-preact.js'

const listeners = new Set()
const moved = () => listeners.forEach((f) => f())
addEventListener('popstate', moved)

export function navigate(to, { replace = false } = {}) {
  if (to === location.pathname + location.search) return
  const before = location.pathname
  history[replace ? 'replaceState' : 'pushState'](null, '', to)
  moved()
  if (location.pathname !== before) scrollTo(0, 0)
}

// Links are plain <a href>: a click without modifiers stays in the page.
document.addEventListener('click', (e) => {
  const a = e.target.closest?.('a[href]')
  if (!a || e.defaultPrevented || e.button || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return
  const to = new URL(a.href)
  if (to.origin !== location.origin || a.target || a.hasAttribute('download') || to.hash || to.pathname.startsWith('/api/')) return
  e.preventDefault()
  navigate(to.pathname + to.search)
})

function useMoves() {
  const [, set] = useState(0)
  useEffect(() => {
    const f = () => set((n) => n + 1)
    listeners.add(f)
    return () => listeners.delete(f)
  }, [])
}

function match(pattern, path) {
  const want = pattern.split('/'), got = path.replace(/(.)\/$/, '$1').split('/')
  if (want.length !== got.length) return null
  const params = {}
  for (let i = 0; i < want.length; i++) {
    if (want[i].startsWith(':')) {
      if (!got[i]) return null
      try { params[want[i].slice(1)] = decodeURIComponent(got[i]) } catch { return null }
    } else if (want[i] !== got[i]) return null
  }
  return params
}

// The route of the address, and its parameters; neither if there is none.
export function useRoute(routes) {
  useMoves()
  for (const route of routes) {
    const params = match(route.path, location.pathname)
    if (params) return { ...route, params }
  }
  return {}
}

// The query of the address as an object, and a function that changes some of it; what is '' or null is left out.
export function useQuery() {
  useMoves()
  const query = Object.fromEntries(new URLSearchParams(location.search))
  const change = (some) => {
    const next = new URLSearchParams()
    for (const [k, v] of Object.entries({ ...query, ...some })) if (v !== '' && v != null) next.set(k, v)
    const text = next.toString()
    navigate(location.pathname + (text ? '?' + text : ''), { replace: true })
  }
  return [query, change]
}

// A path from its parts, each of them encoded; queries after it as an object.
export function path(parts, query = {}) {
  const q = new URLSearchParams(Object.entries(query).filter(([, v]) => v !== '' && v != null)).toString()
  return '/' + parts.map(encodeURIComponent).join('/') + (q ? '?' + q : '')
}
