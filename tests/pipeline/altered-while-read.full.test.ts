import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { whileStopped } from '#test-support/capture/stopped-capture.ts'
import { startPipeline, type TestPipeline } from '#test-support/pipeline.ts'
import { isEqual } from '#verify/compare-databases.ts'
import { describeComparison } from '#verify/comparison-report.ts'

let pipeline: TestPipeline

beforeAll(async () => {
  pipeline = await startPipeline()
})
afterAll(async () => {
  await pipeline?.stop()
})

const run = (sql: string) => pipeline.source.query(sql)

test.each([
  ['loose', 'text', 'large', true],
  ['typed', 'int', 22, true],
  // The stream does not contain the new columns yet when the rows that were read are sent.
  ['quiet', 'int', 22, false],
])(
  'changes that DDL has overtaken, of a table that is read meanwhile, keep each value in its column: %s',
  async (table, type, changed, changesLater) => {
    await run(`create table public.${table} (id int primary key, kind text, size ${type}, note text)`)
    await run(`insert into public.${table} values (1, 'a', null, 'old'), (2, 'b', null, 'old')`)
    await pipeline.compare()

    await whileStopped(pipeline, async () => {
      await run(`update public.${table} set note = 'before' where id = 1`)
      await beginReading(table)
      await run(`update public.${table} set size = '${changed}', note = 'between' where id = 2`)
      // The former third column is the second now, and another column has the name of the former second one.
      await run(`alter table public.${table} drop column kind, add column kind int default 5`)
      if (changesLater) await run(`update public.${table} set note = 'after' where id = 1`)
    })

    const comparison = await pipeline.compare()
    expect(isEqual(comparison) || describeComparison(comparison)).toBe(true)
    const { rows } = await pipeline.target.query(
      `select after from tidemark.history('public.${table}', '{"id":2}') where op = 'update'`,
    )
    expect(rows).toEqual([{ after: { id: 2, kind: 'b', size: changed, note: 'between' } }])
    expect(await misread(table)).toEqual([])
  },
)

/** Rows that history shows as read, with values that no row of the table ever had in these columns. */
async function misread(table: string): Promise<unknown[]> {
  const { rows } = await pipeline.target.query(
    `select after
     from tidemark.history('public.${table}')
     where op = 'read'
       and not (after ->> 'note' in ('old', 'before', 'between', 'after') and after ->> 'kind' in ('a', 'b', '5'))`,
  )
  return rows
}

async function beginReading(table: string): Promise<void> {
  await run(`select tidemark.resync('public.${table}')`)
  const lambda = new LambdaClient({
    endpoint: pipeline.engine.endpoints.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
  })
  await lambda.send(new InvokeCommand({ FunctionName: 'tidemark-local-capture-tables' }))
  const { rows } = await run(`select state from tidemark.captured_table where table_name = '${table}'`)
  expect(rows).toEqual([{ state: 'snapshotting' }])
}
