import { parseArgs } from 'node:util'
import { requireEngine } from './running/running-engine.ts'
import type { Status } from './status/status.ts'
import { renderStatus } from './status/status-screen.ts'
import { styleOf } from './terminal/style.ts'

const help = `npm run status [-- --json]

What the running stack does: components, rates, lag, latency, tables, what is stopped or not captured and what to run.
  --json   the same as JSON
Exits with 1 where nothing runs.`

/** 0 when a stack runs and has answered. */
export async function main(argv: string[]): Promise<number> {
  const { values } = parseArgs({ args: argv, options: { json: { type: 'boolean' }, help: { type: 'boolean' } } })
  if (values.help) {
    console.log(help)
    return 0
  }
  const { endpoints, pid } = await requireEngine()
  const status = await askStatus(endpoints.endpoint, pid)
  if (values.json) {
    console.log(JSON.stringify(status, null, 2))
    return 0
  }
  const page = { width: process.stdout.columns ?? 200, height: Infinity, style: styleOf(process.stdout) }
  for (const line of renderStatus(status, { source: endpoints.source, reader: endpoints.reader }, page)) {
    console.log(line)
  }
  return 0
}

async function askStatus(endpoint: string, pid: number): Promise<Status> {
  const url = new URL('/_tidemark/status', endpoint)
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000) }).catch((cause) => {
    throw new Error(`Tidemark runs as process ${pid} and does not answer at ${url}`, { cause })
  })
  if (response.ok) return (await response.json()) as Status
  throw new Error(`Tidemark runs as process ${pid} and answers ${response.status} at ${url}: it is still starting`)
}
