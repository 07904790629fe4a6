// Of a long list in a box that scrolls, only the rows that are seen are in the page.
import { html, useLayoutEffect, useRef, useState } from '../vendor/htm-preact.js'

const spare = 10

// useWindow(count, rowHeight) gives the box's ref and handler, and which rows to draw: from, to; and the heights before and after.
export function useWindow(count, rowHeight) {
  const box = useRef()
  const [[from, to], set] = useState([0, 40])
  const look = () => {
    const b = box.current
    if (!b) return
    const first = Math.max(0, Math.floor(b.scrollTop / rowHeight) - spare), last = Math.ceil((b.scrollTop + b.clientHeight) / rowHeight) + spare
    if (first !== from || last !== to) set([first, last])
  }
  useLayoutEffect(look)
  const end = Math.min(to, count), begin = Math.min(from, end)
  return { box, look, from: begin, to: end, before: begin * rowHeight, after: (count - end) * rowHeight }
}

export function Space({ height, columns }) {
  return height > 0 && html`<tr class="space" aria-hidden="true"><td colspan=${columns} style=${{ height: height + 'px' }}></td></tr>`
}
