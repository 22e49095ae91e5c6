import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import type { MeasuredStack } from '../measured-stack.ts'
import { type BrowserProcess, startBrowser } from './browser-process.ts'
import { startLoad } from './load-process.ts'
import type { MeasuredConsole } from './measured-console.ts'
import type { LoadTimes } from './page-expressions.ts'

/** How soon a page has what it shows, and how soon a change is seen. */
export type SeenResult = {
  /** Fresh loads of the overview, while fifty changes a second are made. */
  readonly loads: LoadTimes[]
  /** Milliseconds from the answer to the commit until the change is in the list of the page, for each commit. */
  readonly insertMs: number[]
  readonly updateMs: number[]
}

export type SeenOptions = {
  readonly loads: number
  readonly commits: number
  readonly onProgress: (what: string) => void
}

/** Charts need a second snapshot. While nothing changes it comes up to fifteen seconds later. */
const SLOW_PER_SECOND = 50

/** Loads the overview in new profiles, and then makes changes with a client of its own while a page shows them live. */
export async function measureSeen({ stack, console }: MeasuredConsole, options: SeenOptions): Promise<SeenResult> {
  const { loads: count, commits, onProgress } = options
  await stack.capture.start()
  await stack.apply.release()
  const browser = startBrowser()
  try {
    const loads = await load(stack, browser, { url: console.url, count, onProgress })
    await stack.visible()
    await browser.call('open', PAGE, `${console.url}/changes`)
    return { loads, ...(await seeCommits(stack, browser, { commits, onProgress })) }
  } finally {
    await browser.stop()
  }
}

async function load(
  stack: MeasuredStack,
  browser: BrowserProcess,
  { url, count, onProgress }: { url: string; count: number } & Pick<SeenOptions, 'onProgress'>,
): Promise<LoadTimes[]> {
  const slow = await startLoad(stack, { prefix: 'slow', perSecond: SLOW_PER_SECOND })
  const loads: LoadTimes[] = []
  try {
    // The first load fills the browser's own caches, and makes the first snapshot of the console.
    for (let number = 0; number <= count; number++) {
      onProgress(number === 0 ? 'a load that is not counted' : `load ${number} of ${count}`)
      const times = await browser.call('load', url)
      if (number > 0) loads.push(times)
    }
  } finally {
    await slow.stop()
  }
  return loads
}

const PAGE = 'changes'
const POLL_MS = 1_000
/** Multiples of it are evenly spread over the time between two looks of the page, in whatever order they are taken. */
const GOLDEN = 0.618

async function seeCommits(
  { pipeline, createTables }: MeasuredStack,
  browser: BrowserProcess,
  { commits, onProgress }: Pick<SeenOptions, 'commits' | 'onProgress'>,
): Promise<Pick<SeenResult, 'insertMs' | 'updateMs'>> {
  await createTables([
    {
      name: 'seen',
      key: 'id',
      columns: [
        ['id', 'bigint'],
        ['note', 'text'],
      ],
    },
  ])
  const client = new pg.Client({ connectionString: pipeline.engine.endpoints.source, application_name: 'psql' })
  client.on('error', () => undefined)
  await client.connect()
  const see = async (what: 'insert' | 'update', id: number): Promise<number> => {
    const text = `seen by ${what} ${id}`
    await browser.call('watch', PAGE, text)
    await client.query(
      what === 'insert'
        ? `insert into public.seen values (${id}, '${text}')`
        : `update public.seen set note = '${text}' where id = ${id}`,
    )
    const committedMs = Date.now()
    // The page may have the change before the client has the answer.
    return Math.max(0, (await browser.call('seen', PAGE)) - committedMs)
  }
  const found = { insertMs: [] as number[], updateMs: [] as number[] }
  try {
    for (let id = 0; id <= commits; id++) {
      onProgress(id === 0 ? 'commits that are not counted' : `commits ${id} of ${commits}`)
      for (const what of ['insert', 'update'] as const) {
        await pause(((id * GOLDEN) % 1) * POLL_MS)
        const ms = await see(what, id)
        if (id > 0) found[`${what}Ms`].push(ms)
      }
    }
  } finally {
    await client.end()
  }
  return found
}
