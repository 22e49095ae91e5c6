import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findChromium, launchBrowser } from '#test-support/console/browser.ts'
import { type StandInServer, startStandInServer } from '#test-support/console/stand-in/stand-in-server.ts'
import { buildConsole } from './build.ts'

const chromium = findChromium()
const pageDir = join(import.meta.dirname, '../.tidemark/console')
const screenshots = join(import.meta.dirname, '../.tidemark/console-screenshots')
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Each screen, by the name of its screenshot, and what it shows once it has loaded. */
const screens: Readonly<Record<string, readonly [path: string, shown: string]>> = {
  overview: ['/', 'Pipeline'],
  tables: ['/tables', 'public.orders'],
  table: ['/tables/public.orders', 'Contract'],
  'live-changes': ['/changes', 'public.orders'],
  'found-changes': ['/changes?mode=search&table=public.orders', 'Found'],
  change: ['/changes?mode=search&open=c8', 'unchanged, not sent'],
  row: ['/rows?table=public.orders&key=%7B%22id%22%3A%227%22%7D', 'The row now'],
  transaction: ['/transactions/3/771?at=2026-11-30T14%3A05%3A03Z', 'committed'],
  topics: ['/topics', 'user-events'],
  topic: ['/topics/changes', 'no key'],
  record: ['/topics/changes?from=begin&open=0%404', 'It has no key.'],
  connectors: ['/connectors', 'shop'],
  connector: ['/connectors/tidemark', 'Configuration'],
  'new-connector': ['/connectors/new', 'Password'],
  consumers: ['/consumers', 'records behind'],
  archive: ['/archive', 'Table snapshots'],
  windows: ['/windows', 'trips_by_zone'],
  window: ['/windows/trips_by_zone', 'Newest windows'],
  quarantine: ['/quarantine', 'changes-2@18'],
  quarantined: ['/quarantine/changes-2%4018', 'What was expected'],
  equality: ['/equality', 'has no such row'],
  actions: ['/actions', 'tidemark'],
}

let server: StandInServer
let browser: Browser

beforeAll(async () => {
  mkdirSync(screenshots, { recursive: true })
  await buildConsole(pageDir)
  server = await startStandInServer(pageDir, 'wrong')
  if (chromium !== undefined) browser = await launchBrowser(chromium)
})

afterAll(async () => {
  await browser?.close()
  await server?.close()
})

/** Notes what a page must not do: ask another host, break its policy, or fail. */
async function open(
  width: number,
  theme: 'light' | 'dark',
): Promise<{ page: Page; faults: string[]; close(): Promise<void> }> {
  const context = await browser.newContext({ viewport: { width, height: width < 500 ? 844 : 900 }, colorScheme: theme })
  const page = await context.newPage()
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`))
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(`console: ${message.text()}`)
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(server.url)) faults.push(`request to ${request.url()}`)
  })
  return { page, faults, close: () => context.close() }
}

const shows = (page: Page, text: string) => page.getByRole('main').getByText(text).first().waitFor({ timeout: 20_000 })

describe.skipIf(chromium === undefined)('the page', () => {
  describe.each([
    [1440, 'light'],
    [1440, 'dark'],
    [390, 'light'],
    [390, 'dark'],
  ] as const)('at %i pixels, %s', (width, theme) => {
    test.each(Object.entries(screens))('shows %s without faults, within its width', async (name, [path, shown]) => {
      const { page, faults, close } = await open(width, theme)

      await page.goto(server.url + path)
      await shows(page, shown)
      await page.screenshot({ path: join(screenshots, `${name}-${width}-${theme}.png`), fullPage: true })

      expect(faults).toEqual([])
      expect(await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')).toBe(0)
      // The page's policy forbids what axe would add to it as a script, so that it is evaluated from outside.
      await page.evaluate(axe)
      const rules = `{ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] }`
      expect(
        await page.evaluate(`axe.run(document, ${rules}).then(({ violations }) =>
          violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ target }) => target.join(' ')).join(', ')))`),
      ).toEqual([])
      await close()
    })
  })

  test('keeps what it has while a part does not answer, and goes on by itself', async () => {
    const { page, close } = await open(1440, 'light')
    await page.goto(`${server.url}/tables`)
    await shows(page, 'public.orders')

    server.standIn.lost = ['target']
    await shows(page, 'The target cannot be reached')
    expect(await page.locator('.stale tbody tr').count()).toBeGreaterThan(30)
    server.standIn.lost = []

    await page.locator('.stale').waitFor({ state: 'detached', timeout: 20_000 })
    await close()
  })

  test('shows what an action will do, and executes it only when that is confirmed', async () => {
    const { page, close } = await open(1440, 'light')
    await page.goto(`${server.url}/quarantine/changes-2%4018`)
    const confirm = page.locator('dialog').getByRole('button', { name: 'Discard' })

    await page.getByRole('button', { name: 'Discard' }).click()
    await page.locator('dialog').getByText('This will happen').waitFor()
    expect(await confirm.isDisabled()).toBe(true)
    await page.locator('dialog textarea').fill('it is a duplicate')
    await confirm.click()

    await page.locator('dialog').getByText('has begun').waitFor()
    await page.keyboard.press('Escape')
    await page.waitForURL(`${server.url}/quarantine`)
    await close()
  })

  test('takes the same memory however long a thousand changes come each second', async () => {
    const { page, close } = await open(1440, 'light')
    const session = await page.context().newCDPSession(page)
    const usedBytes = async () => {
      await session.send('HeapProfiler.collectGarbage')
      return (await session.send('Runtime.getHeapUsage')).usedSize
    }
    const seen = async () => {
      const text = (await page.locator('.live-panel header').textContent()) ?? ''
      return Number(/([\d,]+) changes/.exec(text)?.[1]?.replaceAll(',', '') ?? 0)
    }
    const untilSeen = (count: number) => expect.poll(seen, { timeout: 240_000, interval: 500 }).toBeGreaterThan(count)
    server.standIn.changesPerSecond = 1_000
    await page.goto(`${server.url}/changes`)

    await untilSeen(5_000)
    const before = await usedBytes()
    await untilSeen(30_000)

    expect((await usedBytes()) / before).toBeLessThan(1.25)
    expect(await page.locator('.change').count()).toBeLessThan(60)
    server.standIn.changesPerSecond = 20
    await close()
  })
})
