import { setTimeout as pause } from 'node:timers/promises'
import { within } from '../measured-stack.ts'
import { type BrowserProcess, startBrowser } from './browser-process.ts'
import { startLoad } from './load-process.ts'
import type { MeasuredConsole } from './measured-console.ts'

/** Memory at the end of a minute, of the page after its garbage was collected. */
export type MemorySample = {
  readonly minute: number
  readonly heapBytes: number
  readonly nodes: number
  readonly serverBytes: number
}

/** A live list of changes that come at a steady rate. */
export type MemoryResult = {
  readonly perSecond: number
  /** Changes that the source took in a second. */
  readonly committedPerSecond: number
  readonly samples: MemorySample[]
  /** What the list says of itself at the end. */
  readonly says: string
}

export type MemoryOptions = {
  readonly minutes: number
  readonly perSecond: number
  readonly onProgress: (what: string) => void
}

const PAGE = 'changes'
const MINUTE_MS = 60_000

/** Measures each minute, from when the list has as many entries as it keeps. Throws an Error if it is not live then. */
export async function measureMemory(measured: MeasuredConsole, options: MemoryOptions): Promise<MemoryResult> {
  const { stack, console } = measured
  const { minutes, perSecond, onProgress } = options
  await stack.capture.start()
  await stack.apply.release()
  onProgress(`${perSecond} changes a second begin`)
  const load = await startLoad(stack, { prefix: 'tail', perSecond })
  const browser = startBrowser()
  try {
    await browser.call('open', PAGE, `${console.url}/changes`)
    await untilFull(browser)
    const startedAt = performance.now()
    const before = await load.call('committed')
    const samples: MemorySample[] = []
    for (let minute = 0; minute <= minutes; minute++) {
      onProgress(`minute ${minute} of ${minutes}`)
      await pause(startedAt + minute * MINUTE_MS - performance.now())
      await readLive(browser)
      const serverBytes = await console.residentBytes()
      samples.push({ minute, ...(await browser.call('memory', PAGE)), serverBytes })
    }
    const committed = (await load.call('committed')) - before
    const says = await readLive(browser)
    const committedPerSecond = Math.round((committed * 1_000) / (performance.now() - startedAt))
    return { perSecond, committedPerSecond, samples, says }
  } finally {
    await load.stop()
    await browser.stop()
  }
}

const LOOK_EVERY_MS = 2_000
/** The list is full when it has not grown in so many looks. */
const SAME_LOOKS = 3

async function untilFull(browser: BrowserProcess): Promise<void> {
  const seen: number[] = []
  await within()('the list has as many entries as it keeps', async () => {
    await pause(LOOK_EVERY_MS)
    const { height, says } = await browser.call('tail', PAGE)
    seen.push(height)
    const last = seen.slice(-SAME_LOOKS)
    const isFull = height > 0 && last.length === SAME_LOOKS && last.every((each) => each === height)
    return isFull ? { done: undefined } : { state: says }
  })
}

async function readLive(browser: BrowserProcess): Promise<string> {
  const { says } = await browser.call('tail', PAGE)
  if (!says.startsWith('live ')) throw new Error(`the list of changes is not live: ${says}`)
  return says
}
