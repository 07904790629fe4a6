// How many of something stand where: "×1000: 812 ✔ 4 ✖ 50 ●", and a bar of it.
import { html } from '../vendor/htm-preact.js'

const kinds = [
  ['succeeded', '✔', 'succeeded', 'good'], ['failed', '✖', 'failed', 'bad'], ['upstreamFailed', '⤫', 'not run, for what they need failed', 'bad'], ['stopped', '■', 'stopped', 'off'],
  ['skipped', '»', 'skipped', 'off'], ['running', '●', 'running', 'go'], ['waiting', '◌', 'waiting', 'wait'],
]
export const done = (c) => ['succeeded', 'failed', 'upstreamFailed', 'stopped', 'skipped'].reduce((n, k) => n + (c[k] || 0), 0)
const there = (c) => kinds.filter(([k]) => c[k])
const toCome = (c) => (c.total < 0 ? 0 : Math.max(0, c.total - kinds.reduce((n, [k]) => n + (c[k] || 0), 0)))

export const inWords = (c) => [...there(c).map(([k, , word]) => `${c[k]} ${word}`), ...(toCome(c) ? [`${toCome(c)} to come`] : [])].join(', ') || 'nothing yet'
export const inShort = (c) => `×${c.total < 0 ? '?' : c.total}: ${there(c).map(([k, sign]) => `${c[k]} ${sign}`).join(' ') || '–'}`

export function Counts({ of: c }) {
  return html`<span class="counts" title=${inWords(c)}><span aria-hidden="true">${inShort(c)}</span><span class="unseen">${inWords(c)}</span></span>`
}

// Progress is a bar of those that are done, of how many; its parts are in the order of the legend.
export function Progress({ of: c, label = 'Progress' }) {
  const total = Math.max(1, c.total < 0 ? kinds.reduce((n, [k]) => n + (c[k] || 0), 0) : c.total)
  return html`<div class="progress">
    <span class="bar" role="img" aria-label=${`${label}: ${done(c)} of ${c.total < 0 ? 'an unknown number' : c.total} done: ${inWords(c)}`}>
      ${there(c).map(([k, , , look]) => html`<span key=${k} class="part ${look} ${k}" style=${{ width: (100 * c[k]) / total + '%' }}></span>`)}
    </span>
    <strong>${done(c)}/${c.total < 0 ? '?' : c.total}</strong> <${Counts} of=${c} />
  </div>`
}
