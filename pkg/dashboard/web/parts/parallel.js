// Parallel coordinates: an upright axis for each param and the metric, a line for each trial.
import { html, useState } from '../vendor/htm-preact.js'
import { linear, logarithmic, short, ticks } from './scale.js'
import { words } from './status.js'

const height = 300, top = 34, bottom = 26, side = 50, between = 170
// So many lines can be told apart; of more, the best and the latest are drawn.
const most = 400

function scaleOf(axis) {
  const a = height - bottom, b = top
  if (axis.scale === 'category') {
    const x = linear(0, axis.values.length - 1, a, b)
    return { at: (raw) => { const i = axis.values.indexOf(JSON.stringify(raw)); return i < 0 ? null : x(i) }, marks: axis.values.slice(0, 40).map((v, i) => [x(i), v.replace(/^"|"$/g, '')]) }
  }
  if (axis.low == null) return { at: () => null, marks: [] }
  const x = (axis.scale === 'log' && axis.low > 0 ? logarithmic : linear)(axis.low, axis.high, a, b)
  const marks = axis.scale === 'log' && axis.low > 0 ? powers(axis.low, axis.high) : ticks(axis.low, axis.high, 5)
  return { at: (v) => (typeof v === 'number' ? x(v) : null), marks: marks.map((v) => [x(v), short(v, 3)]) }
}

function powers(low, high) {
  const out = []
  for (let p = Math.ceil(Math.log10(low) - 1e-9); 10 ** p <= high * (1 + 1e-9); p++) out.push(10 ** p)
  return out.length > 1 ? out : [low, high]
}

// The trials whose lines are drawn, the best last, so that it lies on top.
export function drawn(sweep, most) {
  const worse = sweep.metric?.optimization === 'maximize' ? (v) => -v : (v) => v
  const ranked = sweep.trials.filter((t) => t.value != null).sort((a, b) => worse(a.value) - worse(b.value) || a.index - b.index)
  const open = sweep.trials.filter((t) => t.value == null).slice(-Math.floor(most / 4))
  return [...open, ...ranked.slice(0, most - open.length).reverse()]
}

export function Parallel({ sweep }) {
  const [over, setOver] = useState(null)
  const values = sweep.course.map((r) => r.value)
  const axes = [...sweep.axes.map((a) => ({ ...a, get: (t) => t.params?.[a.name] }))]
  if (sweep.metric && values.length) axes.push({ name: sweep.metric.name, scale: 'linear', low: Math.min(...values), high: Math.max(...values), get: (t) => t.value, metric: true })
  if (axes.length < 2) return html`<p class="quiet">There is nothing to compare yet.</p>`
  const width = side * 2 + between * (axes.length - 1), x = (i) => side + i * between
  const scales = axes.map(scaleOf), trials = drawn(sweep, most)
  const rank = values.length ? linear(...(sweep.metric.optimization === 'maximize' ? [Math.max(...values), Math.min(...values)] : [Math.min(...values), Math.max(...values)]), 1, 0.18) : null
  const line = (t) => axes.reduce((d, a, i) => { const y = scales[i].at(a.get(t)); return y == null ? d : d + (d ? 'L' : 'M') + `${x(i)},${y}` }, '')
  const best = sweep.trials.find((t) => t.index === sweep.best)
  const text = `Params of ${trials.length} trials${best ? `; the best is trial ${best.index}: ${sweep.axes.map((a) => `${a.name} ${JSON.stringify(best.params?.[a.name])}`).join(', ')}, ${sweep.metric.name} ${short(best.value)}` : ''}.`
  const seen = over ?? best
  return html`<figure class="chart parallel">
    <div class="scroll-x" tabindex="0" role="region" aria-label="Params of the trials as lines; the table of trials has the same">
    <svg width=${axes.length > 6 ? width : null} height=${axes.length > 6 ? height : null} viewBox="0 0 ${width} ${height}" role="img" aria-label=${text} onMouseLeave=${() => setOver(null)}>
      ${trials.map((t) => html`<path key=${t.index} d=${line(t)} class=${`trial ${t.index === sweep.best ? 'best' : t.value == null ? 'open' : ''}`}
        style=${{ opacity: t.index === sweep.best ? 1 : t.value == null || !rank ? 0.35 : rank(t.value) }} onMouseEnter=${() => setOver(t)}><title>trial ${t.index}: ${words(t.status)}</title></path>`)}
      ${over && html`<path d=${line(over)} class="trial over" />`}
      ${axes.map((a, i) => html`<g key=${a.name}>
        <line class="axis" x1=${x(i)} x2=${x(i)} y1=${top} y2=${height - bottom} />
        <text x=${x(i)} y=${top - 16} text-anchor="middle" class="step">${a.name}${a.scale === 'log' ? ' (log)' : ''}</text>
        ${scales[i].marks.map(([y, label]) => html`<text key=${label} x=${x(i) + 5} y=${y + 4} class="mark">${label}</text>`)}
      </g>`)}
    </svg></div>
    <figcaption>${seen && html`${over ? 'Trial' : 'Best: trial'} ${seen.index}: ${sweep.axes.map((a) => `${a.name} ${JSON.stringify(seen.params?.[a.name])}`).join(', ')}${seen.value != null ? `, ${sweep.metric.name} ${short(seen.value)}` : `, ${words(seen.status)}`}. `}
      The thick line is the best, the darker the better; dashed lines have no result.${trials.length < sweep.trials.length ? ` ${sweep.trials.length - trials.length} of ${sweep.trials.length} are left out.` : ''}</figcaption>
  </figure>`
}
