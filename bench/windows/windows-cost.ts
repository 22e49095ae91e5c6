import type pg from 'pg'
import { type DrainRun, drainHeld, holdOfApply } from '../drain/held-drain.ts'
import type { MeasuredStack } from '../measured-stack.ts'
import { checksums } from '../workloads/fill.ts'
import { hasArrived, lastTransaction, type WorkloadTable } from '../workloads/workload.ts'
import type { BenchDefinition } from './bench-definition.ts'

/** The same changes, drained by apply and then by the windows of one definition. */
export type CostRun = { readonly apply: DrainRun; readonly windows: DrainRun }

/** Changes of one table, and the definition that groups its rows. */
export type CostLoad = {
  readonly table: WorkloadTable
  readonly definition: BenchDefinition
  /** Makes the changes in the source. */
  readonly change: () => Promise<unknown>
  readonly changes: number
  /** The result by batch SQL over the table in the source, with the columns of the definition's view that are compared. */
  readonly batch: string
  readonly columns: readonly string[]
}

/** Takes the lock that holds windows and nothing else. */
const holdOfWindows = `select from tidemark.progress where consumer = 'tidemark-windows' and topic = 'changes' for update`

/** Whether windows have every record that apply has. */
const windowsArrived = `select bool_and(w.next_offset >= l.next_offset) as arrived
from tidemark.progress l
join tidemark.progress w using (topic, topic_partition)
where l.consumer = 'tidemark-latest-state'
  and w.consumer = 'tidemark-windows'
  and topic = 'changes'`

/**
 * Makes changes while both consumers are held, then drains them by apply while windows are held, and by windows after
 * it. The table and its definition are there before. Throws an Error when a final state is not that of the source.
 */
export async function drainBoth(stack: MeasuredStack, load: CostLoad): Promise<CostRun> {
  const { capture, apply, windows, source, pipeline } = stack
  const { table, definition, changes, columns } = load
  const url = pipeline.engine.endpoints.target
  // The last rows are in a table of their own. All tables share one topic, so these rows come after all others.
  const last: WorkloadTable = { name: `end_${++drains}`, key: 'id', columns: [['id', 'bigint']] }
  await stack.createTables([last])
  await apply.hold()
  await windows.hold()
  await load.change()
  await source.query(lastTransaction([last]))
  await capture.caughtUp()
  await capture.stop()
  const common = { url, changes, onHeld: () => undefined }
  const byApply = await drainHeld(stack, {
    ...common,
    arrived: hasArrived([last]),
    state: (client) => checksums(client, [table]),
    expected: await checksums(source, [table]),
    hold: holdOfApply,
    begin: () => apply.release(),
  })
  const checksumIn = async (client: pg.Client, result: string): Promise<string[]> => {
    await client.query(`set timezone = 'UTC'`)
    const { rows } = await client.query<{ checksum: string }>(
      `select md5(string_agg(md5(row(${columns.join(', ')})::text), '' order by ${columns.join(', ')})) as checksum
       from (${result}) as result`,
    )
    return [rows[0]!.checksum]
  }
  const byWindows = await drainHeld(stack, {
    ...common,
    arrived: windowsArrived,
    state: (client) => checksumIn(client, `select * from tidemark_windows.${definition.name}`),
    expected: await checksumIn(source, load.batch),
    hold: holdOfWindows,
    begin: () => windows.release(),
  })
  for (const [name, { isEqual }] of Object.entries({ apply: byApply, windows: byWindows })) {
    if (!isEqual) throw new Error(`${name} of ${definition.name}: the final state is not that of the source`)
  }
  await capture.start()
  return { apply: byApply, windows: byWindows }
}

let drains = 0
