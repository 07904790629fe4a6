// The pages on real data. What they show is made by browser_test.go, which runs this.
import { after, before, test } from 'node:test'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { origin, serious, start } from './browser.js'

let b, page
before(async () => { b = await start(); page = b.page })
after(async () => { await b?.browser.close() })

const qy = (...line) => execFileSync(process.env.QY, ['--kubeconfig', process.env.KUBECONFIG, '-n', 'vision', ...line], { encoding: 'utf8' })
const open = async (path, heading) => {
  await page.goto(origin + path)
  await page.getByRole('heading', { level: 1, name: heading }).waitFor()
}
const seen = (locator) => locator.first().waitFor({ timeout: 60_000 })
const row = (name) => page.getByRole('row').filter({ has: page.getByRole('rowheader', { name }) })

// Each page: its path, its heading, and what it shows of the data.
const pages = [
  ['/', 'Overview', async () => {
    await seen(row('gpu').getByRole('cell', { name: '2', exact: true }))
    await seen(page.getByText('no such directory: /data/photos'))
  }],
  ['/operations?namespace=vision&filter=import', 'Operations', async () => { await seen(row('import-photos').getByText('failed')) }],
  ['/operations?queue=gpu&status=queued', 'Operations', async () => { await seen(row('train-d').getByText('queued')) }],
  ['/operations/vision/import-photos', 'import-photos', async () => {
    await seen(page.getByRole('region', { name: 'Why it failed' }).getByText('no such directory: /data/photos'))
    await seen(page.getByRole('heading', { name: 'Statuses' }))
  }],
  ['/operations/vision/train-d', 'train-d', async () => {
    await seen(page.getByRole('list', { name: 'What it has to pass, in order' }).getByText(/closed: .*queue gpu: 2\/2/))
    await seen(page.getByText('Position 2 of 2 in the line'))
  }],
  ['/workflows', 'Workflows', async () => {
    await seen(row('backfill').getByText(/^1 waiting: queue night is paused/))
    await seen(row('nightly').getByText('running'))
    await seen(row('nightly').getByRole('img', { name: /^Progress: \d of 7 done/ }))
    assert.equal(await row(/^nightly-/).count(), 0, 'what is part of others is left out')
  }],
  ['/workflows?children=shown&status=failed', 'Workflows', async () => {
    await seen(row(/^nightly-prepare-/).getByRole('img', { name: /14 of 14 done: 13 succeeded, 1 failed/ }))
    await row('backfill').waitFor({ state: 'detached' })
  }],
  ['/queues/gpu', 'Queue gpu', async () => {
    await seen(page.getByRole('tab', { name: 'Waiting (2)' }))
    await seen(row('train-c'))
  }],
  ['/queues/anywhere', 'Queue anywhere', async () => {
    await seen(page.getByText(/^Of its limits agent gpu-east, unreachable since .*qy agents evict gpu-east/))
    await seen(page.getByRole('link', { name: 'gpu-east' }))
  }],
  ['/projects', 'Projects', async () => { await seen(row('vision')) }],
  ['/projects/vision', 'Project vision', async () => { await seen(page.getByRole('heading', { name: 'Who may use what' })) }],
  ['/organizations/acme', 'Organization acme', async () => { await seen(row('vision')) }],
  ['/agents', 'Agents', async () => { 
    await seen(row('default'))
    await seen(row('gpu-east').getByText('Deleting'))
    await seen(page.getByRole('list', { name: 'Limits of which a part is withheld' }).getByText(/^Of the limits of queue anywhere agent gpu-east/))
  }],
  ['/agents/gpu-east', 'Agent gpu-east', async () => {
    await seen(page.getByText(/it is deleted when it is back and has given back its shares of the limits of .*queue anywhere/))
    await seen(page.getByRole('link', { name: 'anywhere' }))
  }],
  ['/agents/default', 'Agent default', async () => { await seen(page.getByRole('heading', { name: 'Seats by priority' })) }],
  ['/workflows/vision/nightly', 'Workflow nightly', async () => {
    await seen(row('verify').getByText('failed'))
    await seen(page.getByText('checksum of shard 7 differs'))
    await seen(row('trial 7').getByText('failed'))
    await seen(row('publish').getByText('to come'))
    await seen(row('compare').getByText('running'))
    await seen(row('compare').getByRole('img', { name: /ran \d/ }))
    await seen(page.getByRole('img', { name: /Operations running: \d+ now.* the limit is 4/ }))
    await seen(page.getByRole('link', { name: /evaluate, dag evaluation, running.*needs prepare, repair/ }))
    await seen(page.getByRole('img', { name: /archive, operation quick, to come/ }))
    await seen(page.getByRole('img', { name: /^Progress: \d of 7 done/ }))
  }],
  ['/workflows/vision/tune', 'Workflow tune', async () => {
    await seen(page.getByText(/×60: \d+ ✔/))
    await seen(page.getByRole('link', { name: 'Its trials compared' }))
  }],
  ['/workflows/vision/tune/sweep', 'Sweep tune', async () => {
    await seen(page.getByText('loss, minimize'))
    await seen(page.getByText(/StoppedByPolicy: loss at step 5 .* stopped by the policy diff/))
    await seen(page.getByRole('img', { name: /^loss of \d+ trials .* The best is/ }))
    await seen(page.getByRole('img', { name: /^Params of \d+ trials; the best is trial \d+: depth \d+, kind "(adam|sgd)", rate/ }))
    await seen(page.locator('tr.best').getByText('best'))
  }],
]

for (const [path, heading, shows] of pages) {
  test(`${path} shows its data, and nobody is kept out`, async () => {
    await open(path, heading)
    await shows()
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme })
      assert.deepEqual(await serious(page), [], `axe in ${colorScheme}`)
    }
    await page.emulateMedia({ colorScheme: 'light' })
  })
}

test('the dark theme is dark, by the system and by the button', async () => {
  await open('/', 'Overview')
  const light = async () => page.evaluate(() => { const [r, g, b] = getComputedStyle(document.documentElement).backgroundColor.match(/\d+/g).map(Number); return r + g + b > 384 })
  assert.equal(await light(), true)
  await page.emulateMedia({ colorScheme: 'dark' })
  assert.equal(await light(), false)
  await page.reload()
  await page.getByRole('button', { name: 'Use the light theme' }).click()
  assert.equal(await light(), true)
  await page.reload()
  await page.getByRole('button', { name: 'Use the dark theme' }).waitFor()
  assert.equal(await light(), true, 'what was chosen stays')
  await page.evaluate(() => localStorage.clear())
  await page.emulateMedia({ colorScheme: 'light' })
})

test('a change is seen without a reload', async () => {
  await open('/workflows/vision/nightly', 'Workflow nightly')
  await seen(row('compare').getByText('running'))
  await page.evaluate(() => { window.same = true })
  const compare = await row('compare').getByRole('link').getAttribute('title')
  qy('stop', compare)
  await seen(row('compare').getByText('stopped'))
  await seen(row('archive').getByText('upstream failed'))
  assert.equal(await page.evaluate(() => window.same), true)
})

test('what is opened and sorted is in the address, and a link to it shows the same', async () => {
  await open('/workflows/vision/nightly', 'Workflow nightly')
  await page.getByRole('button', { name: 'trials: show what is in it' }).click()
  await seen(row('trial 3').getByText('succeeded'))
  const other = await b.context.newPage()
  await other.goto(page.url())
  await other.getByRole('rowheader', { name: 'trial 3' }).waitFor()
  await other.close()
  await page.getByRole('button', { name: 'trials: show what is in it' }).click()
  await row('trial 3').waitFor({ state: 'detached' })
})

test('the list of workflows follows them, and leads to their charts', async () => {
  await open('/workflows?queue=night', 'Workflows')
  await seen(page.getByText('1 row', { exact: true }))
  qy('stop', 'wf/backfill')
  await seen(row('backfill').getByText('stopped'))
  await page.getByRole('link', { name: 'backfill' }).click()
  await page.getByRole('heading', { level: 1, name: 'Workflow backfill' }).waitFor()
})

test('what is short is not cut off', async () => {
  const cut = (cells) => cells.filter((c) => c.scrollWidth > c.clientWidth).map((c) => c.textContent)
  for (const [path, name] of [['/operations?filter=train', 'train-a'], ['/workflows', 'tune']]) {
    await open(path, path.startsWith('/o') ? 'Operations' : 'Workflows')
    await seen(row(name))
    assert.deepEqual(await row(name).locator('th, td:not(.message-cell)').evaluateAll(cut), [], path)
    assert.deepEqual(await page.locator('.long thead th').evaluateAll(cut), [], path)
  }
  await open('/queues/gpu', 'Queue gpu')
  await seen(page.locator('.key svg'))
  assert.equal((await page.locator('.key svg').first().boundingBox()).width, 24, 'a key is beside its word')
})

test('sorting is stable: what is equal stays in the order of the trials, both ways', async () => {
  await open('/workflows/vision/tune/sweep', 'Sweep tune')
  const read = () => page.locator('.trials tbody tr:not(.space)').evaluateAll((rows) => rows.map((r) => [r.cells[4].textContent, parseInt(r.cells[0].textContent)]))
  const header = page.getByRole('columnheader', { name: 'kind' })
  for (const way of ['ascending', 'descending']) {
    await header.getByRole('button').click()
    await page.locator(`th[aria-sort=${way}]`).waitFor()
    const rows = await read()
    assert.ok(rows.length > 10)
    const want = [...rows].sort(([a, i], [b, j]) => (a < b ? -1 : a > b ? 1 : 0) * (way === 'ascending' ? 1 : -1) || i - j)
    assert.deepEqual(rows, want)
  }
  assert.equal(new URL(page.url()).searchParams.get('sort'), '-param.kind')
})

test('of a long list only what is seen is in the page, and all of it can be reached', async () => {
  const rows = page.locator('.long tbody tr:not(.space)')
  const begun = Date.now()
  await open('/operations?queue=crowd&sort=name', 'Operations')
  await seen(row('op-00000'))
  await page.getByRole('columnheader', { name: 'Name' }).getByRole('button').click() // it answers
  await seen(row(`op-${String(process.env.CROWD - 1).padStart(5, '0')}`))
  console.log(`${process.env.CROWD} operations: interactive after ${((Date.now() - begun) / 1000).toFixed(2)} s`)
  assert.ok(await rows.count() < 100, 'all rows are in the page')
  await page.getByRole('region', { name: /rows, scrolls/ }).evaluate((b) => { b.scrollTop = b.scrollHeight })
  await seen(row('op-00000'))
  assert.ok(await rows.count() < 100, 'rows stay in the page')
})


test('the keyboard is enough', async () => {
  await open('/workflows/vision/nightly', 'Workflow nightly')
  await seen(row('evaluate').getByRole('button'))
  await page.evaluate(() => document.activeElement?.blur())
  await page.keyboard.press('Tab')
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content')
  await page.keyboard.press('Enter')
  assert.equal(await page.evaluate(() => document.activeElement.id), 'content')
  // On from there by Tab alone to what folds a nested workflow.
  for (let i = 0; ; i++) {
    assert.ok(i < 60, 'Tab does not come to the button')
    await page.keyboard.press('Tab')
    if (await page.evaluate(() => document.activeElement.getAttribute('aria-label') === 'evaluate: show what is in it')) break
  }
  await page.keyboard.press('Enter')
  await row('score').waitFor({ state: 'detached' })
  await page.keyboard.press('Space')
  await seen(row('score'))
  assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'none', 'the focus is seen')
})

test('nothing went wrong in the browser, and nobody else was asked', () => assert.deepEqual(b.faults, []))
