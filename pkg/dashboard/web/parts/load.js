// How many ran at each time, against the limit.
import { html } from '../vendor/htm-preact.js'
import { area } from './gantt.js'
import { lasting, clock } from './time.js'
import { linear, ticks, timeTicks } from './scale.js'

const width = 900, height = 160, left = 40, right = 12, top = 12, bottom = 24

export function LoadChart({ load, limit, begin, end }) {
  const last = Math.max(end, begin + 1000), most = Math.max(1, load.peak, limit ?? 0)
  const x = linear(begin, last, left, width - right), y = linear(0, most, height - bottom, top)
  const now = load.points.at(-1)?.[2] ?? 0
  const text = `Operations running: ${now} now, at most ${load.peak}; ${limit == null ? 'no limit' : `the limit is ${limit} in queues or running`}.`
  return html`<figure class="chart">
    <svg viewBox="0 0 ${width} ${height}" role="img" aria-label=${text}>
      ${ticks(0, most, 4).filter(Number.isInteger).map((v) => html`<g key=${v}><line class="grid" x1=${left} x2=${width - right} y1=${y(v)} y2=${y(v)} /><text x=${left - 6} y=${y(v) + 4} text-anchor="end">${v}</text></g>`)}
      ${timeTicks((last - begin) / 1000, 8).map((t) => html`<text key=${t} x=${x(begin + t * 1000)} y=${height - 6} text-anchor=${t ? 'middle' : 'start'}>${t ? '+' + lasting(t) : clock(begin)}</text>`)}
      <path class="span running" d=${area(load.points, x, (p) => y(p[2]), () => y(0), last)} />
      ${limit != null && html`<line class="limit" x1=${left} x2=${width - right} y1=${y(limit)} y2=${y(limit)} /><text class="limit-text" x=${width - right} y=${y(limit) > top + 12 ? y(limit) - 4 : y(limit) + 13} text-anchor="end">limit ${limit}</text>`}
    </svg>
    <figcaption>${text}</figcaption>
  </figure>`
}
