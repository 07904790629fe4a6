// Data and actions.
import { useEffect, useRef, useState } from '../vendor/htm-preact.js'

export class Failure extends Error {
  constructor(status, reason, message) {
    super(message)
    this.status = status
    this.reason = reason
  }
}

// Calls the API. What is sent is JSON, so that no form of another page can send it.
export async function call(path, { method = 'GET', body, signal } = {}) {
  let answer
  try {
    answer = await fetch('/api/v1' + path, {
      method, signal, credentials: 'same-origin',
      headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
  } catch (e) {
    if (e.name === 'AbortError') throw e
    throw new Failure(0, 'Unreachable', 'The dashboard does not answer: does it still run?')
  }
  if (answer.status === 204) return null
  const text = await answer.text()
  const json = (answer.headers.get('Content-Type') || '').startsWith('application/json')
  if (!answer.ok) {
    const { reason = '', message = answer.statusText } = json && text ? JSON.parse(text) : {}
    if (answer.status === 401) unauthorized.forEach((f) => f())
    throw new Failure(answer.status, reason, message)
  }
  return json ? JSON.parse(text) : text
}

const unauthorized = new Set()
export function onUnauthorized(f) {
  unauthorized.add(f)
  return () => unauthorized.delete(f)
}

// One stream of changes for the whole page.
const watchers = new Set()
let stream = null
let live = false
const setLive = (is) => { live = is; watchers.forEach((w) => w.live?.(is)) }

function open() {
  if (stream || !watchers.size) return
  stream = new EventSource('/api/v1/events')
  let was = false
  stream.addEventListener('ready', () => {
    // What happened while it was away nobody has told.
    if (was) watchers.forEach((w) => w.change?.(null))
    was = true
    setLive(true)
  })
  stream.addEventListener('change', (e) => {
    const change = JSON.parse(e.data)
    watchers.forEach((w) => w.change?.(change))
  })
  stream.onerror = () => {
    setLive(false)
    if (stream?.readyState === EventSource.CLOSED) {
      stream = null
      setTimeout(open, 2000)
    }
  }
}

function watch(w) {
  watchers.add(w)
  open()
  return () => {
    watchers.delete(w)
    if (!watchers.size && stream) { stream.close(); stream = null }
  }
}

// Whether changes are told at the moment.
export function useLive() {
  const [is, set] = useState(live)
  useEffect(() => watch({ live: set }), [])
  return is
}

const concerns = (kinds, change) => change === null || (typeof kinds === 'function' ? kinds(change) : kinds.some((k) => change[k]))

// Calls f with every change of some kinds, and with null when some may have been missed.
export function useChanges(kinds, f) {
  const last = useRef()
  last.current = (change) => concerns(kinds, change) && f(change)
  useEffect(() => watch({ change: (c) => last.current(c) }), [])
}

// What GET /api/v1<path> answers: {data, error, loading, again}. It asks again when objects of some kinds change, one question
// at a time; until the answer comes the former stays. Without a path it asks nothing.
export function useData(path, kinds = []) {
  const [state, set] = useState({ path, loading: true })
  const job = useRef({})
  const ask = useRef()
  ask.current = async (fresh) => {
    const j = job.current
    if (!path) return
    if (j.running && !fresh) { j.more = true; return }
    j.running?.abort()
    const control = (j.running = new AbortController())
    j.more = false
    try {
      const data = await call(path, { signal: control.signal })
      if (j.running === control) set({ path, data, loading: false })
    } catch (error) {
      if (error.name === 'AbortError') return
      if (j.running === control) set((s) => ({ path, data: s.path === path && error.status !== 404 && error.status !== 403 ? s.data : undefined, error, loading: false }))
    } finally {
      if (j.running === control) {
        j.running = null
        if (j.more) ask.current()
      }
    }
  }
  useEffect(() => { ask.current(true) }, [path])
  useEffect(() => () => job.current.running?.abort(), [])
  useChanges(kinds, () => ask.current())
  const mine = state.path === path ? state : { loading: true, stale: state.data }
  return { ...mine, again: () => ask.current() }
}

// Says something to those who do not see it change.
export function announce(text) {
  const place = document.getElementById('announcer')
  if (place) place.textContent = text
}
