import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { text } from 'node:stream/consumers'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectorConfiguration } from '#adapters/connect/connector-configuration.ts'
import { readRecord } from '#core/wire/change.ts'
import { joinRecordParts } from '#core/wire/record-parts.ts'
import { prepareJars } from '#localstack/servers/java/jars.ts'
import { findJava } from '#localstack/servers/java/java.ts'
import { briefly, compileJava } from '#localstack/servers/java/java-compiler.ts'

const [recordBytes, rowBytes] = [80_000, 900_000]
const transforms = Object.entries(
  connectorConfiguration({
    epoch: 1,
    database: { host: 'db', port: 5432, name: 'shop', tls: 'disable' },
    topic: 'changes',
    topicPartitions: 4,
    captured: { schemas: ['public'], includeTables: [], excludeTables: [], excludeColumns: [] },
    published: [],
  }),
).filter(([name]) => /^transforms\.(route|hoist)\.(?!type|predicate)/.test(name))

let directory: string
let command: { java: string; classPath: string }

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-connector-'))
  const jars = await prepareJars({
    directory: join(import.meta.dirname, '../../../../.tidemark/jars'),
    environment: process.env,
    onProgress: () => undefined,
  })
  const java = await findJava(process.env)
  const plugin = join(jars.pluginPath, 'debezium-connector-postgres')
  const ofPlugin = (await readdir(plugin)).filter((name) => name.endsWith('.jar')).map((name) => join(plugin, name))
  const used = [...jars.classPath.split(delimiter), ...ofPlugin]
  const sources = [join(import.meta.dirname, 'test/tidemark/capture/SendRows.java')]
  await compileJava(java, { name: 'SendRows', sources, jars: used, target: directory, env: process.env })
  command = { java, classPath: [directory, ...used].join(delimiter) }
}, 300_000)
afterAll(() => rm(directory, { recursive: true, force: true }))

type Sent = { topic: string; lsn: number; header: string; key: string; value: string; offset: number }

/** The records of rows with these texts, as they arrive in the topic. */
async function send(bodies: readonly string[]): Promise<Sent[]> {
  const settings = transforms.map(([name, value]) => `${name}=${value}`)
  const program = [
    ...briefly,
    '-cp',
    command.classPath,
    'tidemark.capture.SendRows',
    `${recordBytes}`,
    `${rowBytes}`,
    ...settings,
  ]
  const child = spawn(command.java, program, { stdio: ['pipe', 'pipe', 'pipe'] })
  const output = Promise.all([text(child.stdout), text(child.stderr)])
  child.stdin.end(bodies.map((body) => `${Buffer.from(body).toString('base64')}\n`).join(''))
  const [code] = await once(child, 'close')
  const [lines, errors] = await output
  if (code !== 0) throw new Error(errors)
  return lines
    .trim()
    .split('\n')
    .map((line, offset) => {
      const [topic, lsn, header, key, value] = line.split(' ') as [string, string, string, string, string]
      const decoded = (base64: string) => Buffer.from(base64, 'base64').toString()
      return { topic, lsn: Number(lsn), header, key: decoded(key), value: decoded(value), offset }
    })
}

test('apply joins the parts that the task cuts, and every row arrives unchanged and in order', async () => {
  const pieces = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('"', '\\', '\n', 'ä', '€', '😀', '\u0001'))
  const body = fc
    .tuple(fc.array(pieces, { minLength: 1 }), fc.integer({ min: 1, max: 130_000 }))
    .map(([some, length]) => some.join('').padEnd(1, 'x').repeat(length).slice(0, length).toWellFormed())
  const bodies = fc.sample(body, 150)

  const sent = await send(bodies)
  const { records, keep, forget } = joinRecordParts(sent, [])

  const rows = records.map((one) => readRecord('whole' in one ? one.whole.value : one.texts.join('')))
  expect(rows.map((row) => row.kind === 'row' && row.change.after)).toEqual(
    bodies.map((b, i) => ({ id: i + 1, body: b })),
  )
  expect([keep, forget]).toEqual([[], []])
  expect(sent.length).toBeGreaterThan(bodies.length * 1.5)
})

test('each part has the topic, key and headers of its row, and no part is larger than allowed', async () => {
  const sent = await send(['small', '"'.repeat(100_000), '\u0001'.repeat(100_000)])

  expect(new Set(sent.map(({ topic }) => topic))).toEqual(new Set(['changes']))
  expect(new Set(sent.map(({ key, header }) => `${key} ${header}`))).toEqual(
    new Set([1, 2, 3].map((id) => `{"key":{"id":${id},"_table":"public.document"}} {"id":${-id}}`)),
  )
  for (const { value } of sent) expect(Buffer.byteLength(value)).toBeLessThanOrEqual(recordBytes)
})

test('until its last part is sent, a row has not been sent', async () => {
  const sent = await send(['x'.repeat(300_000), 'small'])

  const lsns = sent.map(({ lsn }) => lsn)
  expect(lsns.slice(0, -2).every((lsn) => lsn === 0)).toBe(true)
  expect(lsns.slice(-2)).toEqual([1, 2])
  expect(lsns.length).toBeGreaterThan(4)
})

test('a row that is too large even for parts is one record that says so', async () => {
  const [record, ...more] = await send(['x'.repeat(1_000_000)])

  expect(more).toEqual([])
  expect(readRecord(record!.value)).toMatchObject({
    kind: 'unreadable',
    table: 'document',
    reason: expect.stringMatching(/1\.0 MB of JSON \(key .*"id":1.*column body 1\.0 MB\)/),
  })
  // In JSON each quote takes two characters, which the text alone does not show.
  expect(readRecord((await send(['"'.repeat(600_000)]))[0]!.value)).toMatchObject({ kind: 'unreadable' })
})
