// The two screenshots of the README: a workflow and a sweep.
import { join } from 'node:path'
import { origin, start } from './browser.js'

const { browser, page } = await start({ viewport: { width: 1300, height: 760 }, reducedMotion: 'reduce' })
const shoot = async (path, ready, file) => {
  await page.goto(origin + path)
  await ready()
  await page.screenshot({ path: join(process.env.SCREENSHOTS, file) })
  console.log(`wrote ${file}`)
}
const seen = (locator) => locator.first().waitFor({ timeout: 120_000 })
await shoot('/workflows/vision/nightly', async () => {
  await seen(page.getByRole('row', { name: 'compare' }).getByText('running'))
  await page.getByRole('heading', { name: 'When what ran' }).evaluate((h) => scrollTo(0, h.offsetTop - 12))
}, 'workflow.png')
await shoot('/workflows/vision/tune/sweep', async () => {
  await seen(page.getByText(/stopped by the policy diff/))
  await page.getByRole('heading', { name: 'Best so far' }).evaluate((h) => scrollTo(0, h.offsetTop - 40))
}, 'sweep.png')
await browser.close()
