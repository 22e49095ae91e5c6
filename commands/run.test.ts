import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

/** A Node older than 24 on this machine, on which the command has to run in another process. */
const oldNode = findOldNode()

let checkout: string
beforeAll(async () => {
  checkout = await mkdtemp(join(tmpdir(), 'tidemark run-'))
  await mkdir(join(checkout, 'commands', 'development'), { recursive: true })
  await mkdir(join(checkout, 'node_modules', '.bin'), { recursive: true })
  await copyFile(join(import.meta.dirname, 'run.mjs'), join(checkout, 'commands', 'run.mjs'))
  await writeFile(join(checkout, 'package.json'), '{"type":"module"}')
  await command('development/exits', 'export const main = async (argv: string[]) => Number(argv[0])')
  await command(
    'fails',
    "export const main = async () => { throw new Error('the port is busy', { cause: new Error('EADDRINUSE') }) }",
  )
  await command(
    'refuses',
    "export const main = async () => { throw Object.assign(new Error('there is no table x'), { name: 'UsageError' }) }",
  )
  await command(
    'parses',
    "import { parseArgs } from 'node:util'\nexport const main = async (args: string[]) => parseArgs({ args })",
  )
  await command(
    'dies',
    "export const main = async () => { process.kill(process.pid, 'SIGKILL'); return new Promise(() => setInterval(() => {}, 1000)) }",
  )
  await command('waits', WAITS)
  await command('waits.test', 'throw new Error()')
  await writePackages({ a: '1.0.0' }, { a: '1.0.0' })
  await writeFile(join(checkout, 'node_modules', '.bin', 'node'), `#!/bin/sh\nexec "${process.execPath}" "$@"\n`, {
    mode: 0o755,
  })
})
afterAll(() => rm(checkout, { recursive: true }))

/** A command that counts the signals it gets, and ends half a second after the first. */
const WAITS = `
import { appendFileSync } from 'node:fs'
export function main([file]: string[]): Promise<number> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        appendFileSync(file!, signal + ' ')
        setTimeout(() => { appendFileSync(file!, 'done'); resolve(5) }, 500)
      })
    }
    setInterval(() => {}, 1000)
    console.log('ready')
  })
}`

const command = (name: string, source: string) => writeFile(join(checkout, 'commands', `${name}.ts`), source)

async function writePackages(wanted: Record<string, string>, present: Record<string, string>): Promise<void> {
  const packages = (versions: Record<string, string>) =>
    JSON.stringify({
      packages: Object.fromEntries(
        Object.entries(versions).map(([name, version]) => [`node_modules/${name}`, { version }]),
      ),
    })
  await writeFile(join(checkout, 'package-lock.json'), packages(wanted))
  await writeFile(join(checkout, 'node_modules', '.package-lock.json'), packages(present))
}

const start = (node: string, args: string[], env = process.env): ChildProcess =>
  spawn(node, [join(checkout, 'commands', 'run.mjs'), ...args], { stdio: ['ignore', 'pipe', 'pipe'], env })

async function run(
  node: string,
  args: string[],
  env?: NodeJS.ProcessEnv,
): Promise<{ code: number | null; output: string }> {
  const child = start(node, args, env)
  let output = ''
  for (const stream of [child.stdout!, child.stderr!]) stream.setEncoding('utf8').on('data', (text) => (output += text))
  const [code] = await once(child, 'close')
  return { code, output }
}

const nodes: [string, string | undefined][] = [
  ['in this process, on Node 24', process.execPath],
  ['in another process, from an older Node', oldNode],
]

describe.each(nodes)('a command that runs %s', (_where, node) => {
  test.skipIf(node === undefined)('gives its exit code', async () => {
    expect((await run(node!, ['exits', '0'])).code).toBe(0)
    expect((await run(node!, ['exits', '3'])).code).toBe(3)
  })

  test.skipIf(node === undefined)('that finds a wrong argument says which, and exits with 2', async () => {
    expect(await run(node!, ['refuses'])).toEqual({ code: 2, output: 'there is no table x\n' })
    expect(await run(node!, ['parses', '--oops'])).toEqual({ code: 2, output: expect.stringContaining("'--oops'") })
  })

  test.skipIf(node === undefined)('that throws says why without a stack, and exits with 1', async () => {
    const { code, output } = await run(node!, ['fails'])

    expect(code).toBe(1)
    expect(output).toBe('the port is busy\n  because EADDRINUSE\n')
  })

  test.skipIf(node === undefined)(
    'hears of a signal exactly once, however often it is sent, and is waited for',
    async () => {
      const file = join(checkout, `signals-${node === oldNode}`)
      const child = start(node!, ['waits', file])
      await once(child.stdout!, 'data')

      child.kill('SIGINT')
      await readUntil(file, 'SIGINT')
      if (node === oldNode) child.kill('SIGINT')
      const [code] = await once(child, 'close')

      expect(code).toBe(5)
      expect(await readFile(file, 'utf8')).toBe('SIGINT done')
    },
  )
})

test.skipIf(oldNode === undefined)(
  'a command in another process ends with the one that started it, kill -9 included',
  async () => {
    const file = join(checkout, 'orphan')
    const child = start(oldNode!, ['waits', file])
    await once(child.stdout!, 'data')

    child.kill('SIGKILL')

    expect(await readUntil(file, 'done')).toBe('SIGTERM done')
  },
)

describe('under npm', () => {
  const repository = join(import.meta.dirname, '..')
  const readScripts = async (): Promise<Record<string, string>> =>
    JSON.parse(await readFile(join(repository, 'package.json'), 'utf8')).scripts

  test('every script takes the place of its shell, which passes no signal on', async () => {
    for (const script of Object.values(await readScripts())) expect(script).toMatch(/^exec node commands\/run\.mjs /)
  })

  test.each(['SIGINT', 'SIGTERM'] as const)('%s to npm alone ends the command, and nothing is left', async (signal) => {
    const file = join(checkout, `npm-${signal}`)
    const script = (await readScripts())['start']!.replace(/ start$/, ` waits '${file}'`)
    await writeFile(join(checkout, 'package.json'), JSON.stringify({ type: 'module', scripts: { start: script } }))
    // npm has a process group of its own, so that the signal reaches only npm.
    const npm = spawn('npm', ['start'], { cwd: checkout, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    npm.stderr.resume()
    for await (const text of npm.stdout) if (String(text).includes('ready')) break

    process.kill(npm.pid!, signal)
    await once(npm, 'exit')

    expect(await readFile(file, 'utf8')).toBe(`${signal} done`)
    expect(() => process.kill(-npm.pid!, 0)).toThrow('ESRCH')
  })
})

test.skipIf(oldNode === undefined)('a command that dies of a signal gives 128 and its number', async () => {
  expect((await run(oldNode!, ['dies'])).code).toBe(137)
})

test('an unknown command lists those there are, tests not among them', async () => {
  const { code, output } = await run(process.execPath, ['strat'])

  expect(code).toBe(2)
  expect(output).toContain("There is no command 'strat'")
  expect(output.match(/run\.mjs (\S+)/g)).toEqual(
    ['dies', 'exits', 'fails', 'parses', 'refuses', 'waits'].map((name) => `run.mjs ${name}`),
  )
})

describe('packages', () => {
  const npm = async (script: string): Promise<NodeJS.ProcessEnv> => {
    const file = join(checkout, 'npm-cli.js')
    await writeFile(file, script)
    return { ...process.env, npm_execpath: file }
  }

  test('that are not those of package-lock.json are installed first, once', async () => {
    await writePackages({ a: '2.0.0' }, { a: '1.0.0' })
    const lock = JSON.stringify(join(checkout, 'node_modules', '.package-lock.json'))
    const installs = "import { copyFileSync } from 'node:fs'; console.log('npm', process.argv[2]);"
    const env = await npm(`${installs} copyFileSync(${JSON.stringify(join(checkout, 'package-lock.json'))}, ${lock})`)

    const first = await run(process.execPath, ['exits', '0'], env)
    const second = await run(process.execPath, ['exits', '0'], env)

    expect(first.output).toContain('npm install')
    expect(first.code).toBe(0)
    expect(second).toEqual({ code: 0, output: '' })
  })

  test('that cannot be downloaded are one clear line', async () => {
    await writePackages({ a: '3.0.0' }, { a: '1.0.0' })
    const env = await npm("console.error('npm error code ENOTFOUND'); process.exit(1)")

    const { code, output } = await run(process.execPath, ['exits', '0'], env)

    expect(code).toBe(1)
    expect(output.trim().split('\n').at(-1)).toMatch(/^The packages could not be downloaded: check the network/)
  })
})

async function readUntil(file: string, text: string): Promise<string> {
  for (
    const deadline = Date.now() + 10_000;
    Date.now() < deadline;
    await new Promise((resume) => setTimeout(resume, 10))
  ) {
    const content = await readFile(file, 'utf8').catch(() => '')
    if (content.includes(text)) return content
  }
  throw new Error(`${file} never held ${text}`)
}

function findOldNode(): string | undefined {
  for (const directory of (process.env['PATH'] ?? '').split(':')) {
    try {
      const version = execFileSync(join(directory, 'node'), ['-p', 'process.versions.node'], { encoding: 'utf8' })
      if (Number.parseInt(version, 10) < 24) return join(directory, 'node')
    } catch {
      // This directory has no node.
    }
  }
  return undefined
}
