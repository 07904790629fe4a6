// Tables. Columns are {key, label, cell: (row) => …, sort, class, width}: `sort` is the name of an order of the server, or for a
// whole table a function that gives what to compare.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from '../vendor/htm-preact.js'
import { call, useChanges } from './api.js'

// `order` is a column's key, with "-" before it for the other way round.
export const flip = (order, key) => (order === key ? '-' + key : key)

function Head({ columns, order, onOrder, hidden }) {
  return html`<thead><tr>
    ${columns.map((c) => {
      const is = order === c.key ? 'ascending' : order === '-' + c.key ? 'descending' : 'none'
      return c.sort && onOrder
        ? html`<th key=${c.key} scope="col" class=${c.class} aria-sort=${is}><button class="sort" onClick=${() => onOrder(flip(order, c.key))}>${c.label}
            <span aria-hidden="true">${{ ascending: '▲', descending: '▼', none: '' }[is]}</span></button></th>`
        : html`<th key=${c.key} scope="col" class=${c.class}>${hidden ? html`<span class="unseen">${c.label}</span>` : c.label}</th>`
    })}
  </tr></thead>`
}

// What names a row is its header: the column "name", else the first.
const heads = (columns) => Math.max(0, columns.findIndex((c) => c.key === 'name'))
const cells = (columns, row) => columns.map((c, i) => (i === heads(columns) ? html`<th key=${c.key} scope="row" class=${c.class}>${c.cell(row)}</th>` : html`<td key=${c.key} class=${c.class}>${c.cell(row)}</td>`))

// A table that holds all its rows. What is equal keeps the order of the server.
export function Table({ caption, columns, rows, rowKey, empty = 'Nothing is here.', order, onOrder }) {
  const key = (order || '').replace('-', '')
  const column = columns.find((c) => c.key === key && typeof c.sort === 'function')
  const sorted = useMemo(() => {
    if (!column) return rows
    const way = order.startsWith('-') ? -1 : 1
    const value = (r) => column.sort(r)
    return rows.map((r, i) => [value(r), i, r]).sort(([a, i], [b, j]) => way * compare(a, b) || i - j).map(([, , r]) => r)
  }, [rows, order])
  if (!rows.length) return html`<p class="quiet">${empty}</p>`
  return html`<div class="scroll-x" tabindex="0" role="region" aria-label=${caption}><table>
    <caption class="unseen">${caption}</caption>
    <${Head} columns=${columns} order=${order} onOrder=${onOrder} />
    <tbody>${sorted.map((r) => html`<tr key=${rowKey(r)}>${cells(columns, r)}</tr>`)}</tbody>
  </table></div>`
}

function compare(a, b) {
  if (a === b) return 0
  if (a == null) return 1
  if (b == null) return -1
  return a < b ? -1 : 1
}

const rowHeight = 36
const pageSize = 100

// A table of any number of rows, of which it has only those that are seen: pages of GET /api/v1<source>, which answers
// {items, total}. `onPage` gets each answer.
export function LongTable({ caption, columns, source, kinds, rowKey, empty = 'Nothing is here.', order, onOrder, onPage }) {
  const box = useRef()
  const [seen, setSeen] = useState([0, 40])
  const [, redraw] = useState(0)
  const [error, setError] = useState(null)
  const store = useRef({ source: null })
  if (store.current.source !== source) {
    // Until the first answer the old rows stay.
    store.current = { source, pages: new Map(), asked: new Set(), stale: new Set(), total: null, old: store.current.total ? store.current : store.current.old }
  }
  const s = store.current
  const shown = s.total === null && s.old ? s.old : s
  const total = shown.total ?? 0

  const fetchPage = async (n) => {
    if (s.asked.has(n)) { s.stale.add(n); return }
    s.asked.add(n)
    s.stale.delete(n)
    try {
      const answer = await call(source + (source.includes('?') ? '&' : '?') + `offset=${n * pageSize}&limit=${pageSize}`)
      if (store.current !== s) return
      s.pages.set(n, answer.items)
      s.total = answer.total
      s.old = null
      setError(null)
      onPage?.(answer)
    } catch (e) {
      if (store.current === s) setError(e)
    } finally {
      s.asked.delete(n)
      if (store.current === s) {
        redraw((x) => x + 1)
        if (s.stale.has(n)) fetchPage(n)
      }
    }
  }
  const [from, to] = seen
  const first = Math.floor(from / pageSize), last = Math.floor(Math.max(from, Math.min(to, (s.total ?? to) - 1)) / pageSize)
  useEffect(() => {
    for (let n = first; n <= last; n++) if (!s.pages.has(n)) fetchPage(n)
  }, [source, first, last])
  useChanges(kinds, () => {
    for (const n of s.pages.keys()) if (n < first || n > last) s.pages.delete(n)
    for (let n = first; n <= last; n++) fetchPage(n)
  })
  const look = () => {
    const b = box.current
    if (!b) return
    const top = Math.max(0, Math.floor(b.scrollTop / rowHeight) - 10), bottom = Math.ceil((b.scrollTop + b.clientHeight) / rowHeight) + 10
    if (top !== from || bottom !== to) setSeen([top, bottom])
  }
  useLayoutEffect(look)
  useEffect(() => { if (box.current) box.current.scrollTop = 0 }, [source])

  const rows = []
  for (let i = from; i < Math.min(to, total); i++) rows.push([i, shown.pages.get(Math.floor(i / pageSize))?.[i % pageSize]])
  const below = Math.max(0, total - Math.min(to, total))
  return html`
    ${error && html`<div class="notice bad" role="alert">${error.message}</div>`}
    ${shown.total === 0 && html`<p class="quiet">${empty}</p>`}
    ${shown.total === null && !error && html`<p class="quiet" aria-busy="true">Loading …</p>`}
    <div class="scroll long" hidden=${!total} ref=${box} onScroll=${look} tabindex="0" role="region" aria-label=${`${caption}: ${total} rows, scrolls`}>
      <table aria-rowcount=${total + 1} class=${s.total === null ? 'old' : ''}>
        <caption class="unseen">${caption}</caption>
        <${Head} columns=${columns} order=${order} onOrder=${onOrder} />
        <tbody>
          ${from > 0 && html`<tr class="space" aria-hidden="true"><td colspan=${columns.length} style=${{ height: Math.min(from, total) * rowHeight + 'px' }}></td></tr>`}
          ${rows.map(([i, r]) => r
            ? html`<tr key=${rowKey(r)} aria-rowindex=${i + 2}>${cells(columns, r)}</tr>`
            : html`<tr key=${'row ' + i} aria-rowindex=${i + 2}><td colspan=${columns.length} class="quiet">…</td></tr>`)}
          ${below > 0 && html`<tr class="space" aria-hidden="true"><td colspan=${columns.length} style=${{ height: below * rowHeight + 'px' }}></td></tr>`}
        </tbody>
      </table>
    </div>`
}
