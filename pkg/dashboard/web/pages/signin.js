import { html, useState, useRef, useEffect } from '../vendor/htm-preact.js'
import { call } from '../parts/api.js'

export function SignIn({ session }) {
  const [error, setError] = useState('')
  const field = useRef()
  useEffect(() => { document.title = 'Sign in · Queueyard'; field.current?.focus() }, [])
  if (session.signIn === 'code') {
    return html`<main class="alone card">
      <h1>Queueyard</h1>
      <p>This dashboard serves whoever started it. Open the link that <code>qy ui</code> printed; each opens one browser, once.</p>
      <p>Press Enter in the terminal where it runs for another link.</p>
    </main>`
  }
  const submit = async (e) => {
    e.preventDefault()
    try {
      await call('/session', { method: 'POST', body: { token: field.current.value.trim() } })
      location.reload()
    } catch (failed) {
      setError(failed.message)
      field.current.focus()
    }
  }
  return html`<main class="alone card">
    <h1>Queueyard</h1>
    <form onSubmit=${submit}>
      <label for="token">Token</label>
      <input id="token" ref=${field} type="password" autocomplete="off" required aria-describedby="token-help token-error" />
      <p id="token-help" class="quiet">All is read and done with the rights of this token. It stays in a cookie of this browser until you sign out, and is kept nowhere else.
        One comes from <code>kubectl create token NAME</code>.</p>
      <p id="token-error" class="error" role="alert">${error}</p>
      <button class="primary">Sign in</button>
    </form>
  </main>`
}
