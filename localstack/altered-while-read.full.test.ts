import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isEqual } from '#commands/compare/compare-databases.ts'
import { describeComparison } from '#commands/compare/comparison-report.ts'
import { startPipeline, type TestPipeline } from '#test-support/pipeline.ts'
import { whileStopped } from '#test-support/stopped-capture.ts'

let pipeline: TestPipeline

beforeAll(async () => {
  pipeline = await startPipeline()
})
afterAll(async () => {
  await pipeline?.stop()
})

const run = (sql: string) => pipeline.source.query(sql)

test.each([
  ['loose', 'text', 'large'],
  ['typed', 'int', 22],
])(
  'changes that DDL has overtaken, of a table that is read meanwhile, keep each value in its column: %s',
  async (table, type, changed) => {
    await run(`create table public.${table} (id int primary key, kind text, size ${type}, note text)`)
    await run(`insert into public.${table} values (1, 'a', null, 'old'), (2, 'b', null, 'old')`)
    await pipeline.compare()

    await whileStopped(pipeline, async () => {
      await run(`update public.${table} set note = 'before' where id = 1`)
      await beginReading(table)
      await run(`update public.${table} set size = '${changed}', note = 'between' where id = 2`)
      // What was the third column is the second now, and another one has the name of the second.
      await run(`alter table public.${table} drop column kind, add column kind int default 5`)
      await run(`update public.${table} set note = 'after' where id = 1`)
    })

    const comparison = await pipeline.compare()
    expect(isEqual(comparison) || describeComparison(comparison)).toBe(true)
    const { rows } = await pipeline.target.query(
      `select after from tidemark.history('public.${table}', '{"id":2}') where op = 'update'`,
    )
    expect(rows).toEqual([{ after: { id: 2, kind: 'b', size: changed, note: 'between' } }])
  },
)

async function beginReading(table: string): Promise<void> {
  await run(`select tidemark.resync('public.${table}')`)
  const lambda = new LambdaClient({
    endpoint: pipeline.engine.endpoints.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
  })
  await lambda.send(new InvokeCommand({ FunctionName: 'tidemark-local-capture-tables' }))
  const { rows } = await run(`select state from tidemark.captured_table where table_name = '${table}'`)
  expect(rows).toEqual([{ state: 'reading' }])
}
