// A step line over time. series: [{name, values, class}], each as long as there are moments between from and until.
import { html } from '../vendor/htm-preact.js'
import { clock } from './time.js'

const W = 720, H = 170, L = 38, R = 8, T = 10, B = 24

export function StepChart({ caption, from, until, series, limit }) {
  const top = Math.max(1, limit ?? 0, ...series.flatMap((s) => s.values))
  const n = Math.max(2, ...series.map((s) => s.values.length))
  const x = (i) => L + (i / (n - 1)) * (W - L - R)
  const y = (v) => T + (1 - v / top) * (H - T - B)
  const line = (values) => values.map((v, i) => (i ? `H${x(i).toFixed(1)}V${y(v).toFixed(1)}` : `M${x(0)} ${y(v).toFixed(1)}`)).join('')
  const a = +new Date(from), b = +new Date(until)
  const ticks = [0, 0.25, 0.5, 0.75, 1]
  const levels = [...new Set([0, Math.round(top / 2), top])]
  const sum = series.map((s) => `${s.name}: now ${s.values[s.values.length - 1] ?? 0}, at most ${Math.max(0, ...s.values)}`).join('; ')
  return html`<figure class="chart">
    <svg viewBox=${`0 0 ${W} ${H}`} role="img" aria-label=${`${caption}, from ${clock(from)} until ${clock(until)}. ${sum}${limit != null ? `; limit ${limit}` : ''}`}>
      ${levels.map((v) => html`<g key=${v}><line class="grid" x1=${L} x2=${W - R} y1=${y(v)} y2=${y(v)} /><text x=${L - 6} y=${y(v) + 4} text-anchor="end">${v}</text></g>`)}
      ${ticks.map((t) => html`<text key=${t} x=${L + t * (W - L - R)} y=${H - 6} text-anchor=${t === 0 ? 'start' : t === 1 ? 'end' : 'middle'}>${clock(a + t * (b - a)).replace(/:\d\d$/, '')}</text>`)}
      ${limit != null && html`<line class="limit" x1=${L} x2=${W - R} y1=${y(limit)} y2=${y(limit)} />`}
      ${series.map((s) => html`<path key=${s.name} class=${'line ' + s.class} d=${line(s.values)} />`)}
    </svg>
    <figcaption>${series.map((s) => html`<span key=${s.name} class=${'key ' + s.class}><svg viewBox="0 0 24 8" width="24" height="8" aria-hidden="true"><path class=${'line ' + s.class} d="M0 4H24" /></svg> ${s.name}</span>`)}
      ${limit != null && html`<span class="key"><svg viewBox="0 0 24 8" width="24" height="8" aria-hidden="true"><line class="limit" x1="0" x2="24" y1="4" y2="4" /></svg> limit ${limit}</span>`}</figcaption>
  </figure>`
}
