import { parseArgs } from 'node:util'
import { isAllWell } from '#core/status/status.ts'
import { textOf } from '#terminal/live-screen.ts'
import { styleOf } from '#terminal/style.ts'
import { requireEngine } from './running/running-engine.ts'
import { askConsole, askStatus } from './running/running-status.ts'
import { describeConsole, leastSize, renderStatus } from './status/status-screen.ts'

const help = `npm run status [-- --json]

Shows what the running stack does: first what is stopped or in quarantine and which command resolves it, then rates, lag,
latency, components and tables. The lag is the number of records between what was applied and the end of each topic, also
where something is stopped. It is unknown (null) while nothing is captured. That is shown first, with its cause and command.
  --json   the same as JSON, with the latency of each stage of a change and that of the last day
Exits with
  0   when everything runs, changes are captured, every table that was captured still is, nothing is stopped and nothing is
      in quarantine
  1   when no stack runs or it does not answer
  2   when an argument is wrong
  3   when a component does not run, a function fails, capture is down, a topic partition, a table or the archive is stopped,
      a table is not captured any more or is missing in the target, or records are in quarantine
Tables that were never captured, views without a table that stay because something depends on them, and declared indexes
that are not made are listed and do not change the exit code.`

const attention = 3

/**
 * Returns 0 when a stack runs and all is well, 1 when none answers, and 3 when something is stopped, failing or in
 * quarantine.
 */
export async function main(argv: string[]): Promise<number> {
  const { values } = parseArgs({ args: argv, options: { json: { type: 'boolean' }, help: { type: 'boolean' } } })
  if (values.help) {
    console.log(help)
    return 0
  }
  const engine = await requireEngine()
  const { endpoints } = engine
  const status = await askStatus(engine)
  if (values.json) console.log(JSON.stringify(status, null, 2))
  else {
    const width = Math.max(leastSize.width, process.stdout.columns ?? 200)
    const page = { width, height: Infinity, style: styleOf(process.stdout) }
    const shown = describeConsole(await askConsole(engine))
    const footer = { source: endpoints.source, reader: endpoints.reader, ...shown }
    for (const line of renderStatus(status, footer, page)) console.log(textOf(line))
  }
  return isAllWell(status) ? 0 : attention
}
