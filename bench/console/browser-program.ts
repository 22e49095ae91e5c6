import { setPriority } from 'node:os'
import type { Browser, CDPSession, Page } from 'playwright-core'
import { launchBrowser } from '#test-support/console/browser.ts'
import {
  isVisible,
  type LoadTimes,
  loadTimes,
  tailState,
  timeSeen,
  watchList,
  watchOverview,
} from './page-expressions.ts'
import { answerCalls } from './program-process.ts'

/** The memory of a page after its garbage was collected. */
export type PageMemory = { readonly heapBytes: number; readonly nodes: number }

/** What the live list says of itself, and the height of all its rows in pixels. */
export type TailState = { readonly says: string; readonly height: number }

/** What the browser's process can be asked for. Pages are named, and each has a profile of its own. */
export type BrowserCalls = {
  /** Opens a page, and resolves when it shows the overview's figures or the live list. */
  open(name: string, url: string): Promise<void>
  close(name: string): Promise<void>
  /** Loads the overview in a new profile, so that nothing is cached. */
  load(url: string): Promise<LoadTimes>
  /** Notes from now on when the list of a page has the text. */
  watch(name: string, text: string): Promise<void>
  /** When the text was there, in milliseconds since 1970. */
  seen(name: string): Promise<number>
  tail(name: string): Promise<TailState>
  memory(name: string): Promise<PageMemory>
}

const SHOWN_WITHIN_MS = 60_000

function callsOf(browser: Browser): BrowserCalls {
  const pages = new Map<string, { readonly page: Page; readonly session: CDPSession }>()
  const newPage = async () => {
    const context = await browser.newContext({ viewport: { width: 1_440, height: 900 } })
    const page = await context.newPage()
    return { page, session: await context.newCDPSession(page) }
  }
  const evaluateIn = <T>(name: string, expression: string) => evaluate<T>(pages.get(name)!.session, expression)
  return {
    async open(name, url) {
      const opened = await newPage()
      pages.set(name, opened)
      await opened.page.goto(url)
      await opened.page.waitForSelector('dl.figures, .live-panel', { timeout: SHOWN_WITHIN_MS })
      if (!(await evaluate<boolean>(opened.session, isVisible))) throw new Error(`the page ${name} is not visible`)
    },
    async close(name) {
      await pages.get(name)!.page.context().close()
      pages.delete(name)
    },
    async load(url) {
      const { page, session } = await newPage()
      await page.addInitScript(watchOverview)
      await page.goto(url, { waitUntil: 'commit' })
      const times = await evaluate<LoadTimes>(session, loadTimes)
      await page.context().close()
      return times
    },
    watch: (name, text) => evaluateIn(name, watchList(text)),
    seen: (name) => evaluateIn(name, timeSeen),
    tail: (name) => evaluateIn(name, tailState),
    memory: (name) => readMemory(pages.get(name)!.session),
  }
}

/** Evaluates an expression in a page, and waits for it if it is a promise. Rejects with the error that it throws. */
async function evaluate<T>(session: CDPSession, expression: string): Promise<T> {
  const { result, exceptionDetails } = await session.send('Runtime.evaluate', {
    ...{ expression, awaitPromise: true, returnByValue: true },
  })
  if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
  return result.value as T
}

async function readMemory(session: CDPSession): Promise<PageMemory> {
  await session.send('HeapProfiler.collectGarbage')
  const { usedSize } = await session.send('Runtime.getHeapUsage')
  const { nodes } = await session.send('Memory.getDOMCounters')
  return { heapBytes: usedSize, nodes }
}

// The browser and what drives it run apart from the engine, whose processor time is measured.
const [executable, niceness] = process.argv.slice(2) as [string, string]
setPriority(Number(niceness))
const browser = await launchBrowser(executable)
answerCalls(callsOf(browser), () => browser.close())
