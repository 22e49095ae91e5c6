import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Producer } from '@platformatic/kafka'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findChromium, launchBrowser } from '#test-support/console/browser.ts'
import {
  type ConsoleClient,
  openClient,
  type RunningConsole,
  startWithConsole,
} from '#test-support/console/running-console.ts'
import { until } from '#test-support/eventually.ts'

const repository = join(import.meta.dirname, '../..')
const screenshots = join(repository, '.tidemark/console-screenshots/walk')
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

let stack: RunningConsole
let client: ConsoleClient
let browser: Browser
/** The place of a record in quarantine, and a transaction. */
const known = { place: '', epoch: 0, transaction: '', at: '' }

beforeAll(async () => {
  const chromium = findChromium()
  if (chromium === undefined)
    throw new Error('the walk through the console needs a browser: install Chromium, or name one by TIDEMARK_CHROMIUM')
  mkdirSync(screenshots, { recursive: true })
  stack = await startWithConsole('--allow-actions', '--rate', '50', '--rows', '3000')
  client = await openClient(stack.url)
  browser = await launchBrowser(chromium)
  await makeOrders()
  await makeQuarantine()
}, 600_000)
afterAll(async () => {
  await browser?.close()
  await stack?.stop()
})

async function makeOrders(): Promise<void> {
  await stack.source.query('create table public.orders (id bigint primary key, note text, amount numeric(10, 2))')
  await stack.source.query(`insert into public.orders select g, 'order ' || g, g from generate_series(1, 50) g`)
  // Before the table is captured, an update is part of what the snapshot reads.
  await until('the table is captured', async () => {
    const { items } = (await client.get('GET /tables')).body
    return items?.find(({ name }) => name === 'public.orders')?.state === 'captured'
  })
  await stack.source.query(`begin; select tidemark.audit(why => 'paid by card', who => 'alice');
    update public.orders set amount = 3.00, note = '<b>paid</b>' where id = 7; commit`)
  const change = await until('the change of alice', async () => {
    const { body } = await client.get('GET /changes', { query: { table: 'public.orders' } })
    return body.items?.find(({ who }) => who === 'alice')
  })
  Object.assign(known, { epoch: change.epoch, transaction: change.transaction ?? '', at: change.committedAt })
}

async function makeQuarantine(): Promise<void> {
  const producer = new Producer({ clientId: 'test', bootstrapBrokers: [stack.endpoints.kafka] })
  const messages = ['this is no event', '<img src=x onerror=alert(1)>'].map((value) => ({
    ...{ topic: 'user-events', partition: 0, value: Buffer.from(value) },
  }))
  await producer.send({ messages, acks: -1 })
  await producer.close()
  const item = await until('the records in quarantine', async () => {
    const { items } = (await client.get('GET /quarantine')).body
    return items?.length === 2 ? items[0] : undefined
  })
  known.place = item.place
}

/** Each screen, by the name of its screenshot: its path, and a text that it shows once it has loaded. */
const screens = (): Readonly<Record<string, readonly [path: string, shown: string | RegExp]>> => ({
  overview: ['/', 'Pipeline'],
  tables: ['/tables', 'public.green_trips'],
  table: ['/tables/public.orders', 'Contract'],
  'live-changes': ['/changes', /public\.(orders|green_trips)/],
  'found-changes': ['/changes?mode=search&table=public.orders', 'alice'],
  row: [`/rows?table=public.orders&key=${encodeURIComponent('{"id":7}')}`, 'paid by card'],
  transaction: [`/transactions/${known.epoch}/${known.transaction}?at=${encodeURIComponent(known.at)}`, 'paid by card'],
  topics: ['/topics', 'user-events'],
  topic: ['/topics/changes', /\d@/],
  connectors: ['/connectors', 'tidemark'],
  connector: ['/connectors/tidemark', 'Configuration'],
  'new-connector': ['/connectors/new', 'Password'],
  consumers: ['/consumers', 'apply-latest-state'],
  archive: ['/archive', 'Table snapshots'],
  windows: ['/windows', 'trips_by_zone'],
  window: ['/windows/trips_by_zone', 'Newest windows'],
  quarantine: ['/quarantine', known.place],
  quarantined: [`/quarantine/${encodeURIComponent(known.place)}`, 'What was expected'],
  equality: ['/equality', /compar/i],
  actions: ['/actions', /action/i],
})

/** Those that the documents show. `TIDEMARK_UPDATE_SCREENSHOTS=1` copies them there. */
const shownInDocuments = ['overview', 'row', 'live-changes']

/** Notes what a page must not do: ask another host, break its policy, or fail. */
async function open(width: number, theme: 'light' | 'dark') {
  const context = await browser.newContext({ viewport: { width, height: width < 500 ? 844 : 900 }, colorScheme: theme })
  const page = await context.newPage()
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`))
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(`console: ${message.text()}`)
  })
  page.on('dialog', (dialog) => faults.push(`dialog: ${dialog.message()}`))
  page.on('request', (request) => {
    if (!request.url().startsWith(stack.url)) faults.push(`request to ${request.url()}`)
  })
  return { page, faults, close: () => context.close() }
}

const shows = (page: Page, text: string | RegExp) =>
  page.getByRole('main').getByText(text).first().waitFor({ timeout: 60_000 })

/** The rules that the page breaks, and where. The page's policy forbids scripts, so axe is evaluated from outside. */
async function violations(page: Page): Promise<unknown> {
  await page.evaluate(axe)
  return page.evaluate(`axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] })
    .then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ target }) => target).join(', ')))`)
}

describe.each([
  [1440, 'light'],
  [1440, 'dark'],
  [390, 'light'],
  [390, 'dark'],
] as const)('at %i pixels, %s', (width, theme) => {
  test('each screen shows what the stack has, within its width, without faults, and to everyone', async () => {
    const { page, faults, close } = await open(width, theme)
    const found: Record<string, unknown> = {}

    for (const [name, [path, shown]] of Object.entries(screens())) {
      await page.goto(stack.url + path)
      await shows(page, shown)
      const file = join(screenshots, `${name}-${width}-${theme}.png`)
      await page.screenshot({ path: file, fullPage: true })
      const isShown = width === 1440 && theme === 'light' && shownInDocuments.includes(name)
      if (isShown && process.env['TIDEMARK_UPDATE_SCREENSHOTS'] === '1')
        copyForDocuments(file, `console-${name}-${theme}.png`)
      const tooWide = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
      const broken = await violations(page)
      if (tooWide !== 0 || (broken as unknown[]).length > 0) found[name] = { tooWide, broken }
    }

    expect(found).toEqual({})
    expect(faults).toEqual([])
    await close()
  })
})

function copyForDocuments(file: string, name: string): void {
  mkdirSync(join(repository, 'docs/images'), { recursive: true })
  copyFileSync(file, join(repository, 'docs/images', name))
}

test('a change appears in the live list while it is looked at', async () => {
  const { page, faults, close } = await open(1440, 'light')
  await page.goto(`${stack.url}/changes`)
  await shows(page, /public\.(orders|green_trips)/)

  await stack.source.query(`begin; select tidemark.audit(why => 'seen live', who => 'bob');
    update public.orders set amount = 4.00 where id = 8; commit`)

  await shows(page, 'bob')
  expect(faults).toEqual([])
  await close()
})

test('a record is discarded in the page: what will happen is said first, and a reason is asked for', async () => {
  const { page, faults, close } = await open(1440, 'light')
  await page.goto(`${stack.url}/quarantine/${encodeURIComponent(known.place)}`)
  const dialog = page.locator('dialog')
  await page.getByRole('button', { name: 'Discard' }).first().click()
  await dialog.locator('textarea').fill('it is no event')

  await dialog.getByRole('button', { name: 'Discard' }).click()

  await until('the action is recorded', async () => {
    const [newest] = (await client.get('GET /actions')).body.items ?? []
    return newest?.action === 'quarantine.discard' && newest.outcome === 'done' && newest.reason === 'it is no event'
  })
  // The record that the page still showed is gone.
  expect(faults.filter((fault) => !fault.includes('404'))).toEqual([])
  await close()
})

test('a page that stays open goes on by itself when the console was started again', async () => {
  const { page, close } = await open(1440, 'light')
  await page.goto(`${stack.url}/tables`)
  await shows(page, 'public.orders')
  const token = (await client.get('GET /session')).body.token

  await stack.killConsole()
  await until('another process answers', async () => {
    const session = await client.get('GET /session').catch(() => undefined)
    return session?.status === 200 && session.body.token !== token
  })

  await stack.source.query('create table public.after_restart (id integer primary key)')
  await shows(page, 'public.after_restart')
  await close()
})
