// The statuses that something has had: as a swimlane, and as a list with reasons.
import { html } from '../vendor/htm-preact.js'
import { Status, look, words } from './status.js'
import { At, lasting, useNow } from './time.js'

// A timeline of the API: {entries: [{status, time, reason, message, for, attempt}], over, dropped, gap}.
export function Timeline({ of: t }) {
  const now = useNow(!t.over)
  const entries = t.entries || []
  if (!entries.length) return html`<p class="quiet">The controller has not seen it yet.</p>`
  const start = +new Date(entries[0].time)
  const ends = entries.map((e, i) => (i + 1 < entries.length ? +new Date(entries[i + 1].time) : t.over ? +new Date(e.time) : Math.max(now, +new Date(e.time))))
  const all = Math.max(1, ends[ends.length - 1] - start)
  const seconds = (i) => (ends[i] - new Date(entries[i].time)) / 1000
  return html`
    <div class="lanes" role="img" aria-label=${`Statuses over ${lasting(all / 1000)}: ` + entries.map((e, i) => `${words(e.status)} ${seconds(i) > 0 ? 'for ' + lasting(seconds(i)) : ''}`).join(', ')}>
      ${[...new Set(entries.map((e) => e.status))].map((status) => html`<div class="lane" key=${status}>
        <span class="lane-name">${words(status)}</span>
        <span class="lane-line">${entries.map((e, i) => e.status === status && html`<span key=${i} class=${'span ' + look(status) + (ends[i] === +new Date(e.time) ? ' moment' : '')}
          style=${{ left: ((new Date(e.time) - start) / all) * 100 + '%', width: ((ends[i] - new Date(e.time)) / all) * 100 + '%' }}></span>`)}</span>
        <span class="lane-sum">${lasting(entries.reduce((n, e, i) => n + (e.status === status ? seconds(i) : 0), 0))}</span>
      </div>`)}
    </div>
    <ol class="steps">
      ${entries.map((e, i) => html`
        ${t.dropped > 0 && i === t.gap && html`<li class="quiet" key="gap">… ${t.dropped} more are no longer kept …</li>`}
        <li key=${i} class=${look(e.status)}>
          <span class="step-head"><${Status} status=${e.status} /> <${At} time=${e.time} />
            ${!(i === entries.length - 1 && t.over) && html`<span class="quiet"> for ${lasting(seconds(i))}</span>`}
            ${e.attempt > 1 && html`<span class="quiet"> attempt ${e.attempt}</span>`}
            <span class="reason">${e.reason}</span></span>
          ${e.message && html`<p class="message">${e.message}</p>`}
        </li>`)}
    </ol>`
}
