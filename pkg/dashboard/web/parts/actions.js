// What may be done to something: buttons, each with a question before it acts.
import { html, useEffect, useRef, useState } from '../vendor/htm-preact.js'
import { announce, call } from './api.js'

const says = {
  stop: ['Stop', 'Stop it? Its pods are ended; it can be resumed.', 'danger'], resume: ['Resume', 'Let it go on?'], restart: ['Restart', 'Run it again? Its history is kept.'],
  approve: ['Approve', 'Approve it? That you did is written down.', 'primary'], move: ['Move …', 'Where should it wait?'],
  pause: ['Pause', 'Pause the queue? It accepts operations and admits none; what runs goes on.', 'danger'], drain: ['Drain', 'Drain the queue? It accepts no new operations and still admits what waits.', 'danger'],
  open: ['Open', 'Open the queue? It accepts and admits operations.'],
}

// of: the actions of the API; on: {kind, namespace, name}; after is called when something was done.
export function Actions({ of: actions, on, now = {}, after }) {
  const [asked, ask] = useState(null)
  const [message, setMessage] = useState(null)
  if (!actions?.length) return null
  return html`<div class="actions" role="group" aria-label="Actions">
    ${actions.map((a) => html`<button key=${a.name} class=${a.refused ? '' : says[a.name]?.[2] || ''} disabled=${!!a.refused} title=${a.refused || ''} onClick=${() => { setMessage(null); ask(a.name) }}>${says[a.name]?.[0] || a.name}</button>`)}
    ${message && html`<span class="outcome" role="status">${message}</span>`}
    ${asked && html`<${Ask} name=${asked} on=${on} now=${now} close=${(text) => { ask(null); if (text) { setMessage(text); announce(text); after?.() } }} />`}
  </div>`
}

function Ask({ name, on, now, close }) {
  const box = useRef()
  const [error, setError] = useState('')
  const [busy, setBusy] = useState(false)
  useEffect(() => { box.current.showModal() }, [])
  const submit = async (e) => {
    e.preventDefault()
    const form = new FormData(e.target)
    const body = { ...on, action: name }
    if (name === 'move') {
      if (form.get('queue') && form.get('queue') !== now.queue) body.queue = form.get('queue')
      if (form.get('priority') !== '' && Number(form.get('priority')) !== now.priority) body.priority = Number(form.get('priority'))
    }
    setBusy(true)
    try {
      const answer = await call('/actions', { method: 'POST', body })
      close(answer.message)
    } catch (failed) {
      setError(failed.message)
      setBusy(false)
    }
  }
  return html`<dialog ref=${box} onClose=${() => close()} aria-labelledby="ask-title">
    <form onSubmit=${submit}>
      <h2 id="ask-title">${says[name][0].replace(' …', '')} ${on.name}</h2>
      <p>${says[name][1]}</p>
      ${name === 'move' && html`<p><label for="move-queue">Queue</label><input id="move-queue" name="queue" defaultValue=${now.queue} autocomplete="off" /></p>
        <p><label for="move-priority">Priority in the queue, larger goes first</label><input id="move-priority" name="priority" type="number" step="1" defaultValue=${now.priority} /></p>`}
      <p class="error" role="alert">${error}</p>
      <p class="buttons"><button type="button" onClick=${() => close()}>Cancel</button> <button class=${says[name][2] || 'primary'} disabled=${busy}>${says[name][0].replace(' …', '')}</button></p>
    </form>
  </dialog>`
}
