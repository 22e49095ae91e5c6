import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, delimiter, dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runToEnd } from '#localstack/processes/finished-process.ts'
import { type Jars, prepareJars } from '#localstack/servers/java/jars.ts'
import { findJava } from '#localstack/servers/java/java.ts'
import { briefly, compileJava } from '#localstack/servers/java/java-compiler.ts'
import { createDatabase, type TestDatabase } from '#test-support/databases/database.ts'

const repository = join(import.meta.dirname, '../../..')

const tables = `
  create table public.keyed (a int, note int not null, b int, primary key (b, a));
  create table public.renamed (a int, b int, primary key (b, a));
  create table public.deferrable (id int primary key deferrable initially immediate);
  create table public.only_unique (id int unique not null);
  create table public.including (id int, also int, primary key (id) include (also));
  create table public.days (id int, day date);
  insert into public.days values (1, '0044-03-15 BC'), (2, '1582-10-10'), (3, '2024-02-29'), (4, null)`

/** What ObserveDebezium prints when Debezium has its corrections. */
const corrected = {
  'after one of two rows of an LSN': 'event 2 resumes at 20',
  'after a commit whose end a row of the next transaction has': 'event 1 resumes at 15',
  'dates read': '[-0043-03-15, 1582-10-10, 2024-02-29, null]',
  'key of keyed': '[b, a]',
  'key of deferrable': '[]',
  'key of only_unique': '[]',
  'key of including': '[id]',
  'streamed table': 'a int4, b int4, note text?; key [b, a]',
  'key under the name before': '[b, a]',
  'key by replica identity full': '[b, a]',
  'key after a message that fails': '[b, a]',
  'streamed table once it was read': 'a, b, gone',
  'read table once it was streamed': 'a, note, b',
} as const

let directory: string
let java: string
let jars: Jars
let classPath: string[]
let source: TestDatabase

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-agent-'))
  const [prepared, program] = await Promise.all([
    prepareJars({
      directory: join(repository, '.tidemark/jars'),
      environment: process.env,
      onProgress: () => undefined,
    }),
    findJava(process.env),
  ])
  ;[jars, java] = [prepared, program]
  const plugin = join(jars.pluginPath, 'debezium-connector-postgres')
  const ofPlugin = (await readdir(plugin)).filter((name) => name.endsWith('.jar')).map((name) => join(plugin, name))
  classPath = [...ofPlugin, ...jars.classPath.split(delimiter)]
  const sources = ['ObserveDebezium', 'AskInPlugin'].map((name) =>
    join(import.meta.dirname, `test/tidemark/correction/${name}.java`),
  )
  await compile(sources, directory)
  source = await createDatabase('empty')
  await source.pool.query(tables)
}, 300_000)
afterAll(async () => {
  await source?.drop()
  await rm(directory, { recursive: true, force: true })
})

const compile = (sources: string[], target: string) =>
  compileJava(java, { name: 'the test', sources, jars: [jars.captureAgent, ...classPath], target, env: process.env })

/** The output with the agent, or without it. `first` comes before Debezium on the class path. */
async function observe(agent: string | undefined, argument: readonly string[], first: readonly string[] = []) {
  const loaded = agent === undefined ? [] : [`-javaagent:${jars.captureAgent}${agent}`]
  const path = [...first, directory, ...classPath].join(delimiter)
  const options = [...briefly, ...loaded, '-cp', path, 'tidemark.correction.ObserveDebezium']
  return runToEnd(java, [...options, ...argument])
}

async function observations(without = ''): Promise<Record<string, string>> {
  const { code, output } = await observe(without && `=without=${without}`, [source.url])
  expect(code, output).toBe(0)
  const lines = output.split('\n').flatMap((line) =>
    Object.keys(corrected)
      .filter((name) => line.startsWith(`${name}: `))
      .map((name) => [name, line.slice(name.length + 2)]),
  )
  return Object.fromEntries(lines)
}

test('every method is found in the release that is used, and Debezium does what the corrections say', async () => {
  expect(await observations()).toEqual(corrected)
})

test('Debezium is corrected where Connect loads it, in a class loader of the plugin’s own', async () => {
  const path = [directory, jars.classPath].join(delimiter)
  const options = [
    ...briefly,
    `-javaagent:${jars.captureAgent}`,
    '-cp',
    path,
    'tidemark.correction.AskInPlugin',
    jars.pluginPath,
  ]

  const { code, output } = await runToEnd(java, options)

  expect(code, output).toBe(0)
  expect(output).toContain('corrected in PluginClassLoader')
})

// These are results of Debezium as released. Once Debezium gives others, the correction can be removed.
test.each<[string, Partial<Record<keyof typeof corrected, string>>]>([
  [
    'ROWS_THAT_SHARE_AN_LSN_COME_AGAIN_WHOLE',
    {
      'after one of two rows of an LSN': 'nothing found',
      'after a commit whose end a row of the next transaction has': 'event 2 resumes at 15',
    },
  ],
  ['DATES_ARE_READ_AS_STREAMED', { 'dates read': '[0044-03-15, 1582-10-20, 2024-02-29, null]' }],
  ['COLUMNS_ARE_THOSE_OF_THE_MESSAGE', { 'streamed table': 'a int4, b int4, note int4; key [b, a]' }],
  ['STREAMED_ROWS_FOLLOW_THEIR_RELATION', { 'streamed table once it was read': 'a, note, b' }],
  ['READ_ROWS_KEEP_THE_TABLE_OF_THEIR_SNAPSHOT', { 'read table once it was streamed': 'a, b, other' }],
  ['KEY_IS_THE_ONE_OF_THE_RELATION', { 'key under the name before': '[]', 'key by replica identity full': '[]' }],
  ['A_UNIQUE_INDEX_IS_NO_KEY', { 'key of deferrable': '[id]', 'key of only_unique': '[id]' }],
])('without %s Debezium has the fault that it corrects', async (correction, otherwise) => {
  expect(await observations(correction)).toEqual({ ...corrected, ...otherwise })
})

test.each([
  ['no agent', undefined, {}, 'the agent that corrects Debezium is not loaded'],
  [
    'another release of Debezium',
    '',
    { 'io.debezium.connector.postgresql.Module': 'public static String version() { return "3.8.0.Final"; }' },
    'the agent corrects Debezium 3.7.0.Final, and this is Debezium 3.8.0.Final. Deploy that release',
  ],
  [
    'a method that is not there',
    '',
    { 'io.debezium.connector.postgresql.connection.WalPositionLocator': 'public void resumeFromLsn() {}' },
    'the agent corrects Debezium 3.7.0.Final, and io.debezium.connector.postgresql.connection.WalPositionLocator has no method resumeFromLsn(',
  ],
])('with %s nothing starts, and one line says what to do', async (name, agent, classes, line) => {
  const first = join(directory, name.replaceAll(' ', '-'))
  for (const [type, body] of Object.entries(classes)) {
    const file = join(first, `${type.replaceAll('.', '/')}.java`)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(
      file,
      `package ${type.slice(0, type.lastIndexOf('.'))}; public final class ${basename(file, '.java')} { ${body} }`,
    )
    await compile([file], first)
  }

  const { code, output } = await observe(agent, [], [first])

  expect(code).toBe(1)
  const said = output.split('\n').filter((each) => each.includes('Exception'))
  expect(said).toHaveLength(1)
  expect(said[0]).toContain(`ConnectException: Nothing is captured: ${line}`)
  expect(said[0]).toContain('(cdk/capture/agent/README.md)')
})

test('the release that is corrected is the one that is fetched, compiled against and deployed', async () => {
  const at = async (file: string, pattern: RegExp) => pattern.exec(await readFile(join(repository, file), 'utf8'))?.[1]

  const release = await at('cdk/capture/agent/src/tidemark/agent/Correction.java', /RELEASE = "(.*)"/)

  expect(await at('localstack/jars/kafka/pom.xml', /<debezium.version>(.*)</)).toBe(release)
  expect(await at('cdk/capture/pom.xml', /<debezium.version>(.*)</)).toBe(release)
  expect(await at('cdk/capture/image/Dockerfile', /^FROM quay.io\/debezium\/connect:(.*)$/m)).toBe(release)
  expect(await at('cdk/capture/connect-image.ts', /'quay.io\/debezium\/connect:(.*)'/)).toBe(release)
  const byteBuddy = await at('cdk/capture/agent/pom.xml', /<artifactId>byte-buddy<\/artifactId>\s*<version>(.*)</)
  expect(await at('localstack/jars/capture-agent/pom.xml', /<version>(1\.\d.*)</)).toBe(byteBuddy)
})
