// The browser of a test or of screenshots: signed in, and watched for what must not happen.
import { chromium } from 'playwright-core'
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

export const origin = new URL(process.env.LINK).origin

// start opens the link that qy ui printed, which signs in. faults collects errors of the console, of scripts and of requests,
// and requests to anybody else.
export async function start(options = {}) {
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [] // Chromium refuses to sandbox itself for root
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: sandbox })
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'en-GB', ...options })
  const faults = []
  context.on('request', (r) => { if (!r.url().startsWith(origin + '/') && !/^(data|blob):/.test(r.url())) faults.push(`request to another host: ${r.url()}`) })
  context.on('response', (r) => { if (r.status() >= 400) faults.push(`${r.status()} ${r.url()}`) })
  context.on('console', (m) => { if (['error', 'warning'].includes(m.type())) faults.push(`console: ${m.text()}`) })
  context.on('weberror', (e) => faults.push(`script: ${e.error().stack}`))
  const page = await context.newPage()
  await page.goto(process.env.LINK)
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor()
  return { browser, context, page, faults }
}

// serious are the findings of axe that keep somebody out, one line each.
export async function serious(page) {
  await page.evaluate(axe)
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }))
  return violations.filter((v) => ['serious', 'critical'].includes(v.impact))
    .flatMap((v) => v.nodes.map((n) => `${v.id} (${v.impact}): ${n.target.join(' ')}: ${n.failureSummary.replaceAll('\n', ' ')}`))
}
