// The log of a pod, followed to its end.
import { html, useEffect, useLayoutEffect, useRef, useState } from '../vendor/htm-preact.js'
import { path } from './router.js'

const most = 500000

export function Logs({ pods, query, change }) {
  const pod = pods.find((p) => p.name === query.pod) || pods[0]
  const container = pod?.containers.includes(query.container) ? query.container : pod?.containers[0]
  const [text, setText] = useState('')
  const [note, setNote] = useState('')
  const box = useRef(), atEnd = useRef(true)
  const [begin, setBegin] = useState(0)
  const waits = pod && ['queued', 'unschedulable', 'created'].includes(pod.status)
  useEffect(() => {
    setText('')
    setNote('')
    if (!pod || waits) return
    const control = new AbortController()
    let timer
    ;(async () => {
      try {
        const answer = await fetch('/api/v1' + path(['pods', pod.namespace, pod.name, 'logs'], { container, follow: true, tail: 2000 }), { signal: control.signal })
        if (!answer.ok) {
          setNote((await answer.json()).message)
          if (answer.status !== 403) timer = setTimeout(() => setBegin((n) => n + 1), 3000)
          return
        }
        const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
        for (;;) {
          const { done, value } = await reader.read()
          if (done) break
          setText((t) => (t + value).slice(-most))
        }
        setNote('This is its end.')
      } catch (e) {
        if (e.name !== 'AbortError') setNote('The log was cut off: ' + e.message)
      }
    })()
    return () => { control.abort(); clearTimeout(timer) }
  }, [pod?.namespace, pod?.name, container, waits, begin])
  useLayoutEffect(() => { if (box.current && atEnd.current) box.current.scrollTop = box.current.scrollHeight }, [text])
  if (!pod) return html`<p class="quiet">There is no pod, and so no log.</p>`
  return html`
    <div class="filters">
      <p><label for="log-pod">Pod</label><select id="log-pod" value=${pod.name} onChange=${(e) => change({ pod: e.target.value, container: '' })}>${pods.map((p) => html`<option key=${p.name} value=${p.name}>${p.name}${p.attempt ? ` (attempt ${p.attempt})` : ''}</option>`)}</select></p>
      ${pod.containers.length > 1 && html`<p><label for="log-container">Container</label><select id="log-container" value=${container} onChange=${(e) => change({ container: e.target.value })}>${pod.containers.map((c) => html`<option key=${c} value=${c}>${c}</option>`)}</select></p>`}
    </div>
    ${waits ? html`<p class="quiet">The pod waits and has printed nothing.</p>` : html`<pre class="text log" tabindex="0" role="log" aria-live="off" aria-label=${`Log of pod ${pod.name}`} ref=${box}
      onScroll=${(e) => { atEnd.current = e.target.scrollTop + e.target.clientHeight > e.target.scrollHeight - 30 }}>${text}</pre>`}
    <p class="quiet" role="status">${note}</p>`
}
