// An object as it is.
import { html } from '../vendor/htm-preact.js'
import { useData } from './api.js'
import { path } from './router.js'
import { Loaded } from './layout.js'

export function Yaml({ resource, namespace = '-', name }) {
  const state = useData(path(['objects', resource, namespace, name]), (c) => !!c[resource]?.some((n) => n === '*' || n === (namespace === '-' ? name : `${namespace}/${name}`)))
  return html`<${Loaded} of=${state}>${(text) => html`<pre class="text" tabindex="0" role="region" aria-label="YAML">${text}</pre>`}</${Loaded}>`
}
