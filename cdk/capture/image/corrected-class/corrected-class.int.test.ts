import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runToEnd } from '#localstack/servers/finished-process.ts'
import { correction, parseChecksums, prepareJars } from '#localstack/servers/jars.ts'

const name = 'io.debezium.connector.postgresql.connection.WalPositionLocator'
const source = join(import.meta.dirname, 'src', `${name.replaceAll('.', '/')}.java`)

let directory: string
let classPath: string
let debezium: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-corrected-class-'))
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

test('source and jar are the two that were built together', async () => {
  const list = parseChecksums(await readFile(join(import.meta.dirname, 'SHA256SUMS'), 'utf8'))

  for (const file of [source, correction]) {
    const digest = createHash('sha256').update(await readFile(file))
    expect(list.get(relative(import.meta.dirname, file))).toBe(digest.digest('hex'))
  }
})

// A machine that only runs the stack may have a JRE alone.
if (hasCompiler()) {
  test('the committed jar holds what its source compiles to', async () => {
    const compiled = await compile(await readFile(source, 'utf8'), 'changed')

    expect(await instructions(correction)).toEqual(await instructions(compiled))
  })

  test('without its additions the source is the class of the Debezium release that is used', async () => {
    const original = (await readFile(source, 'utf8')).replaceAll(
      / *\/\/ Tidemark: begin\n.*?\/\/ Tidemark: end\n/gs,
      '',
    )

    const compiled = await compile(original, 'original')

    expect(await instructions(compiled)).toEqual(await instructions(debezium))
    expect(await instructions(correction)).not.toEqual(await instructions(debezium))
  })
}

/** Folder of the classes that the source compiles to. */
async function compile(text: string, folder: string): Promise<string> {
  const file = join(directory, folder, 'src', 'WalPositionLocator.java')
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text)
  const target = join(directory, folder, 'classes')
  await run('javac', ['-g', '--release', '17', '-proc:none', '-cp', classPath, '-d', target, file])
  return target
}

/** The class and what it nests, as text; their constants are numbered differently by each version of the compiler. */
async function instructions(path: string): Promise<string> {
  const text = await run('javap', ['-c', '-p', '-constants', '-cp', path, name, `${name}$1`])
  return text.replaceAll(/#\d+(,\s+\d+)?\s*/g, '')
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
