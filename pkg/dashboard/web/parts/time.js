// Times and how long they are ago.
import { html, useEffect, useState } from '../vendor/htm-preact.js'

// The time of now, which goes on every second while the page is seen.
const tickers = new Set()
setInterval(() => { if (!document.hidden) tickers.forEach((f) => f(Date.now())) }, 1000)
export function useNow(on = true) {
  const [now, set] = useState(Date.now())
  useEffect(() => {
    if (!on) return
    tickers.add(set)
    return () => tickers.delete(set)
  }, [on])
  return on ? Math.max(now, Date.now() - 1000) : now
}

// Seconds as people say them: 0.4s, 12s, 3m20s, 5h10m, 2d3h.
export function lasting(seconds) {
  const s = Math.max(0, seconds)
  if (s < 10) return `${Math.round(s * 10) / 10}s`
  if (s < 60) return `${Math.floor(s)}s`
  const two = (big, b, small, l) => (small ? `${big}${b}${small}${l}` : `${big}${b}`)
  if (s < 3600) return two(Math.floor(s / 60), 'm', Math.floor(s % 60), 's')
  if (s < 86400) return two(Math.floor(s / 3600), 'h', Math.floor((s % 3600) / 60), 'm')
  return two(Math.floor(s / 86400), 'd', Math.floor((s % 86400) / 3600), 'h')
}

export const between = (from, to) => lasting((new Date(to) - new Date(from)) / 1000)

export function clock(time) {
  const t = new Date(time), today = new Date()
  const hours = t.toLocaleTimeString([], { hour12: false })
  return t.toDateString() === today.toDateString() ? hours : `${t.toLocaleDateString([], { month: 'short', day: 'numeric' })} ${hours}`
}

// How long ago; goes on by itself. Its title is the time in full.
export function Ago({ time, suffix = '' }) {
  const now = useNow(!!time)
  if (!time) return null
  return html`<time datetime=${time} title=${new Date(time).toLocaleString()}>${lasting(Math.max(0, Math.floor((now - new Date(time)) / 1000)))}${suffix}</time>`
}

export function At({ time }) {
  return time ? html`<time datetime=${time} title=${new Date(time).toLocaleString()}>${clock(time)}</time>` : null
}
