// The results of a sweep in the order in which they came, and the best so far.
import { html } from '../vendor/htm-preact.js'
import { linear, short, ticks } from './scale.js'

const width = 720, height = 300, left = 64, right = 14, top = 12, bottom = 34
// More points than this are hardly told apart: of more, the last are drawn.
const most = 2000

export function Course({ sweep }) {
  const all = sweep.course, shown = all.slice(-most), skipped = all.length - shown.length
  if (!all.length) return html`<p class="quiet">No trial has a result yet.</p>`
  const values = shown.flatMap((r) => [r.value, r.best]), low = Math.min(...values), high = Math.max(...values)
  const x = linear(skipped + 1, all.length, left + 8, width - right - 8), y = linear(low, high, height - bottom, top)
  const best = all.at(-1).best, name = sweep.metric.name
  const line = shown.reduce((d, r, i) => d + (i ? `H${x(skipped + i + 1)}V${y(r.best)}` : `M${x(skipped + 1)},${y(r.best)}`), '')
  const text = `${name} of ${all.length} trials in the order in which they ended. The best is ${short(best)}, of trial ${sweep.best}; ${sweep.metric.optimization === 'minimize' ? 'less' : 'more'} is better.`
  return html`<figure class="chart">
    <svg viewBox="0 0 ${width} ${height}" role="img" aria-label=${text}>
      ${ticks(low, high, 4).map((v) => html`<g key=${v}><line class="grid" x1=${left} x2=${width - right} y1=${y(v)} y2=${y(v)} /><text x=${left - 6} y=${y(v) + 4} text-anchor="end">${short(v)}</text></g>`)}
      ${ticks(skipped + 1, all.length, 8).filter(Number.isInteger).map((v) => html`<text key=${v} x=${x(v)} y=${height - 18} text-anchor="middle">${v}</text>`)}
      <text x=${(left + width) / 2} y=${height - 3} text-anchor="middle">trials that ended</text>
      ${shown.map((r, i) => html`<circle key=${r.index} class="result ${r.value === r.best ? 'better' : ''}" cx=${x(skipped + i + 1)} cy=${y(r.value)} r=${r.value === r.best ? 4 : 2.5}><title>trial ${r.index}: ${short(r.value)}</title></circle>`)}
      <path class="best-line" d=${line} />
    </svg>
    <figcaption>${text} Each dot is a trial, the line the best until then.</figcaption>
  </figure>`
}
