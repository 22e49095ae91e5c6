import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runToEnd } from '#localstack/servers/finished-process.ts'
import { correction, parseChecksums, prepareJars } from '#localstack/servers/jars.ts'

const classes = {
  'io.debezium.connector.postgresql.connection.PostgresConnection': ['$PostgresValueConverterBuilder'],
  'io.debezium.connector.postgresql.connection.WalPositionLocator': ['$1'],
  'io.debezium.connector.postgresql.connection.pgoutput.ColumnMetaData': [],
  'io.debezium.connector.postgresql.connection.pgoutput.PgOutputMessageDecoder': ['$1', '$2', '$3', '$MessageType'],
  'io.debezium.connector.postgresql.PostgresSchema': [],
  'io.debezium.connector.postgresql.PostgresSignalBasedIncrementalSnapshotChangeEventSource': [],
} as const
const names = Object.keys(classes) as (keyof typeof classes)[]

const sourceOf = (name: string) => join(import.meta.dirname, 'src', `${name.replaceAll('.', '/')}.java`)

let directory: string
let classPath: string
let debezium: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-corrected-classes-'))
  const jars = await prepareJars({
    directory: join(import.meta.dirname, '../../../../.tidemark/jars'),
    environment: process.env,
    onProgress: () => undefined,
  })
  const plugin = join(jars.pluginPath, 'debezium-connector-postgres')
  debezium = join(plugin, 'debezium-connector-postgres-3.7.0.Final.jar')
  classPath = `${plugin}/*:${jars.classPath}`
})
afterAll(() => rm(directory, { recursive: true, force: true }))

test('sources and jar are those that were built together', async () => {
  const list = parseChecksums(await readFile(join(import.meta.dirname, 'SHA256SUMS'), 'utf8'))

  for (const file of [...names.map(sourceOf), correction]) {
    const digest = createHash('sha256').update(await readFile(file))
    expect(list.get(relative(import.meta.dirname, file))).toBe(digest.digest('hex'))
  }
})

// A machine that only runs the stack may have a JRE alone.
if (hasCompiler()) {
  test('the committed jar holds what its sources compile to', async () => {
    const compiled = await compile((text) => text, 'changed')

    for (const name of names) expect(await instructions(correction, name)).toEqual(await instructions(compiled, name))
  })

  test('without their additions the sources are the classes of the Debezium release that is used', async () => {
    const withoutAdditions = (text: string) => text.replaceAll(/ *\/\/ Tidemark: begin\n.*?\/\/ Tidemark: end\n/gs, '')

    const compiled = await compile(withoutAdditions, 'original')

    for (const name of names) {
      expect(await instructions(compiled, name)).toEqual(await instructions(debezium, name))
      expect(await instructions(correction, name)).not.toEqual(await instructions(debezium, name))
    }
  })
}

/** Folder of the classes that the sources compile to, once they are changed. */
async function compile(change: (text: string) => string, folder: string): Promise<string> {
  const files = await Promise.all(
    names.map(async (name) => {
      const file = join(directory, folder, relative(import.meta.dirname, sourceOf(name)))
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, change(await readFile(sourceOf(name), 'utf8')))
      return file
    }),
  )
  const target = join(directory, folder, 'classes')
  await run('javac', ['-g', '--release', '17', '-proc:none', '-cp', classPath, '-d', target, ...files])
  return target
}

/** A class and what it nests, as text that is the same whatever version of the compiler wrote them. */
async function instructions(path: string, name: keyof typeof classes): Promise<string> {
  const nested = classes[name].map((suffix) => `${name}${suffix}`)
  const text = await run('javap', ['-c', '-p', '-constants', '-cp', path, name, ...nested])
  const methods = text.replaceAll(/#\d+(,\s+\d+)?\s*/g, '').split('\n\n')
  return methods.map((method) => withPlaces(withoutOwnSwitches(method, name))).join('\n\n')
}

/** Constants are numbered differently, and the longer instruction takes higher ones: instructions are counted instead. */
function withPlaces(method: string): string {
  const offsets = [...method.matchAll(/^ *(\d+): [a-z]/gm)].map(([, offset]) => offset!)
  const place = (offset: string) => `${offsets.findIndex((each) => Number(each) >= Number(offset))}`
  return method
    .replaceAll(/^ *\d+: ldc_w /gm, ' 0: ldc   ')
    .replaceAll(
      /^( *(?:\d+|default):|.*: (?:goto|if\w+)) +(\d+)$/gm,
      (_, before, offset) => `${before} ${place(offset)}`,
    )
    .replaceAll(/^( +)(\d+)( +)(\d+)( +)(\d+)(?= +(?:Class|any))/gm, (_, ...[, from, , to, , target]) =>
      [from, to, target].map((each) => place(`${each}`)).join(' '),
    )
    .replaceAll(/^ *\d+: (?=[a-z])/gm, '')
}

/** Before 21 a class of its own numbers the cases of a switch over an enum of the same file: those are not compared. */
function withoutOwnSwitches(method: string, name: string): string {
  const ownEnum = `${name.replaceAll('.', '/')}$`
  if (!method.split('\n').some((line) => line.includes(ownEnum) && line.includes('.ordinal:()I'))) return method
  return method
    .replaceAll(/^.*\$SwitchMap\$.*\n/gm, '')
    .replaceAll(/^ *\d+: iaload *\n(?=.*switch )/gm, '')
    .replaceAll(/(?:table|lookup)switch .*\n(?: *(?:\d+|default): \d+\n)+/g, 'switch\n')
}

function hasCompiler(): boolean {
  return spawnSync(inJdk('javac'), ['-version']).status === 0
}

function inJdk(program: 'javac' | 'javap'): string {
  const home = process.env['JAVA_HOME']
  return home ? join(home, 'bin', program) : program
}

async function run(program: 'javac' | 'javap', args: string[]): Promise<string> {
  const { code, output } = await runToEnd(inJdk(program), args)
  if (code !== 0) throw new Error(`${program} failed: ${output}`)
  return output
}
