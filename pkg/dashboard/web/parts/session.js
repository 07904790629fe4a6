// Who looks.
import { useEffect, useState } from '../vendor/htm-preact.js'
import { call, onUnauthorized } from './api.js'

// The session, and the error if it can't be told. A code in the fragment of the address, which no server and no log sees, is used up.
export function useSession() {
  const [state, set] = useState([null, null])
  useEffect(() => {
    const look = () => call('/session').then((s) => set([s, null]), (e) => set([null, e]))
    const code = /^#login=(\w+)$/.exec(location.hash)?.[1]
    if (code) {
      history.replaceState(null, '', location.pathname + location.search)
      call('/session', { method: 'POST', body: { code } }).catch(() => {}).then(look)
    } else {
      look()
    }
    return onUnauthorized(() => set(([s]) => [s ? { ...s, user: '' } : s, null]))
  }, [])
  return state
}

export async function signOut() {
  await call('/session', { method: 'DELETE' })
  location.assign('/')
}
