// Statuses: an icon and a word, each with a colour of its own.
import { html } from '../vendor/htm-preact.js'

const shapes = {
  check: 'M3.5 8.5l3 3 6-7', cross: 'M4 4l8 8M12 4l-8 8', play: 'M5 3.5v9l7-4.5z', clock: 'M8 4v4l3 2M8 1.8a6.2 6.2 0 100 12.4A6.2 6.2 0 008 1.8',
  stop: 'M4 4h8v8H4z', skip: 'M3 4l5 4-5 4zM9 4l5 4-5 4z', alert: 'M8 2.5l6.2 11H1.8zM8 6.5v3M8 11.4v.4', hand: 'M5 8V4.5M8 8V3M11 8V4.5M3.5 8.5C4 12 6 13.5 8 13.5s4.5-1.5 4.5-6',
  dot: 'M8 5.5a2.5 2.5 0 100 5 2.5 2.5 0 000-5', retry: 'M12.5 6A5 5 0 103.5 10M12.5 2.5V6H9', plus: 'M8 3.5v9M3.5 8h9', question: 'M6 6a2 2 0 113 1.7c-.8.5-1 .9-1 1.6M8 11.5v.3',
}
const filled = new Set(['play', 'stop', 'skip', 'dot'])

export function Icon({ shape }) {
  return html`<svg class=${'icon' + (filled.has(shape) ? ' filled' : '')} viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d=${shapes[shape]} /></svg>`
}

// Of each status: how it looks, and which icon it has.
const looks = {
  created: ['idle', 'plus'], compiled: ['idle', 'plus'], on_schedule: ['wait', 'hand'], resuming: ['wait', 'retry'], queued: ['wait', 'clock'],
  unschedulable: ['warn', 'alert'], scheduled: ['go', 'dot'], starting: ['go', 'dot'], running: ['go', 'play'], warning: ['warn', 'alert'],
  unknown: ['warn', 'question'], retrying: ['wait', 'retry'], stopping: ['off', 'stop'], succeeded: ['good', 'check'], failed: ['bad', 'cross'],
  stopped: ['off', 'stop'], skipped: ['off', 'skip'], upstream_failed: ['bad', 'cross'],
  // Queues, agents and pods.
  Open: ['good', 'check'], Paused: ['wait', 'hand'], Draining: ['wait', 'skip'], Deleting: ['off', 'stop'], Evicted: ['bad', 'cross'],
  Ready: ['good', 'check'], 'Not ready': ['bad', 'alert'],
}

export const look = (status) => (looks[status] || ['idle', 'dot'])[0]
export const words = (status) => (status || 'created').replaceAll('_', ' ')

export function Status({ status, note }) {
  const [is, shape] = looks[status] || ['idle', 'dot']
  return html`<span class="chip ${is}"><${Icon} shape=${shape} />${words(status)}${note ? html` <small>${note}</small>` : null}</span>`
}

export const everyStatus = ['created', 'on_schedule', 'resuming', 'compiled', 'queued', 'unschedulable', 'scheduled', 'starting', 'running', 'warning', 'unknown',
  'retrying', 'stopping', 'succeeded', 'failed', 'stopped', 'skipped', 'upstream_failed']
