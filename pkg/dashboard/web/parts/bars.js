// Meters: how much of a limit is used.
import { html } from '../vendor/htm-preact.js'

// A meter of the API: {name, used, limit, usedText, limitText}.
export function Meter({ of: m, label }) {
  const share = m.limit == null ? null : m.limit > 0 ? m.used / m.limit : m.used > 0 ? 2 : 1
  const full = share != null && share >= 1
  const text = m.limit == null ? `${m.usedText}, no limit` : `${m.usedText} of ${m.limitText}`
  return html`<div class="meter">
    <span class="meter-name">${label ?? m.name}</span>
    <span class="bar ${share == null ? 'open' : full ? 'full' : ''}" role="img" aria-label=${`${m.name}: ${text}${full ? ', full' : ''}`}>
      ${share != null && html`<span class="fill" style=${{ width: Math.min(100, share * 100) + '%' }}></span>`}
    </span>
    <span class="meter-text" aria-hidden="true">${m.usedText}${m.limit == null ? '' : '/' + m.limitText}${full ? ' full' : ''}</span>
  </div>`
}

export function Meters({ of: list }) {
  return html`<div class="meters">${list.map((m) => html`<${Meter} key=${m.name} of=${m} />`)}</div>`
}
