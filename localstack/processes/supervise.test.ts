import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Guard, startGuard } from './guard.ts'
import { becomesTrue } from './readiness.ts'
import { type Service, supervise } from './supervise.ts'

let directory: string
let guard: Guard
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-supervise-'))
  guard = startGuard()
})
afterAll(async () => {
  guard.stop()
  await rm(directory, { recursive: true })
})

let count = 0
/** A server that is a shell script. It is ready when it has made `$READY`. */
function shell(script: string, rest: Partial<Service> = {}): Service & { readyFile: string } {
  const name = `server-${++count}`
  const readyFile = join(directory, `${name}.ready`)
  return {
    name,
    command: { file: '/bin/sh', args: ['-c', script], env: { READY: readyFile, PATH: process.env['PATH'] } },
    ready: async () => (await stat(readyFile).catch(() => undefined)) !== undefined,
    stopSignal: 'SIGTERM',
    stopWithinMs: 5_000,
    logFile: join(directory, `${name}.log`),
    guard,
    signal: new AbortController().signal,
    readyFile,
    ...rest,
  }
}

const eventually = (condition: () => Promise<boolean>) => becomesTrue(condition, { withinMs: 10_000, everyMs: 10 })

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('a server that came up', () => {
  test('is healthy, and gone after stop', async () => {
    const service = await supervise(shell('touch "$READY"; exec sleep 600'))
    const { state, restarts, pid } = service.health()

    await Promise.all([service.stop(), service.stop()])

    expect({ state, restarts }).toEqual({ state: 'healthy', restarts: 0 })
    expect(isAlive(pid!)).toBe(false)
    expect(service.health()).toMatchObject({ state: 'stopped' })
  })

  test('is brought back when it is killed, and the restart is counted with its reason', async () => {
    const service = await supervise(shell('touch "$READY"; exec sleep 600'))
    onTestFinished(() => service.stop())
    const { pid: first } = service.health()

    process.kill(first!, 'SIGKILL')
    await eventually(async () => service.health().restarts === 1 && service.health().state === 'healthy')

    expect(service.health()).toMatchObject({ state: 'healthy', restarts: 1, lastError: 'it was ended by SIGKILL' })
    expect(service.health().pid).not.toBe(first)
  })

  test('is tried again and again when it cannot come back, and stop still ends it', async () => {
    const definition = shell('[ -e "$READY.broken" ] && echo no way && exit 3; touch "$READY"; exec sleep 600')
    const service = await supervise(definition)
    await writeFile(`${definition.readyFile}.broken`, '')
    await rm(definition.readyFile)

    process.kill(service.health().pid!, 'SIGKILL')
    await eventually(async () => /exit code 3/.test(service.health().lastError ?? ''))
    const { state, lastError } = service.health()
    await service.stop()

    expect(state).toBe('restarting')
    expect(lastError).toContain('no way')
    expect(service.health().state).toBe('stopped')
  })

  test('is started with another command after it has aborted itself, and not after it was killed', async () => {
    const command = (script: string) => ({
      ...{ file: '/bin/sh', args: ['-c', script], env: { READY: service.readyFile, PATH: process.env['PATH'] } },
    })
    const service = shell('')
    const afterAbort = async () => command('ulimit -c 0; touch "$READY"; exec sleep 601')
    const running = await supervise({
      ...service,
      command: command('ulimit -c 0; touch "$READY"; exec sleep 600'),
      afterAbort,
    })
    onTestFinished(() => running.stop())
    const commandOf = () => execFileSync('ps', ['-o', 'args=', '-p', `${running.health().pid}`], { encoding: 'utf8' })
    const endBy = async (signal: NodeJS.Signals) => {
      const { pid, restarts } = running.health()
      process.kill(pid!, signal)
      await eventually(async () => running.health().restarts > restarts && running.health().state === 'healthy')
      return commandOf()
    }

    expect(await endBy('SIGKILL')).toContain('sleep 600')
    expect(await endBy('SIGABRT')).toContain('sleep 601')
    expect(await endBy('SIGABRT')).toContain('sleep 601')
  })

  test('is killed when it does not heed the signal to stop', async () => {
    const definition = shell('trap "" TERM; touch "$READY"; while :; do sleep 0.05; done', { stopWithinMs: 200 })
    const service = await supervise(definition)
    const { pid } = service.health()

    await service.stop()

    expect(isAlive(pid!)).toBe(false)
  })

  test('takes the processes that it has started with it', async () => {
    const script =
      'trap "" TERM; sleep 600 & echo $! > "$READY.pid"; touch "$READY"; wait; while :; do sleep 0.05; done'
    const definition = shell(script, { stopWithinMs: 100 })
    const service = await supervise(definition)

    await service.stop()

    expect(isAlive(Number(await readFile(`${definition.readyFile}.pid`, 'utf8')))).toBe(false)
  })
})

describe('a server that takes long', () => {
  test('is waited for while its log grows, and its last log line is reported', async () => {
    const reported: string[] = []
    const script =
      'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "loading segment $i"; sleep 0.2; done; touch "$READY"; exec sleep 600'
    const definition = shell(script, { stuckAfterMs: 1_000, onWaiting: (what) => reported.push(what) })

    const service = await supervise(definition)
    onTestFinished(() => service.stop())

    expect(service.health().state).toBe('healthy')
    expect(reported[0]).toMatch(/^for \d+ s, \d+ s of processor, last logged: loading segment \d+$/)
  })
})

describe('a server that does not come up', () => {
  test('and ends: the error says how, where its log is, and its last lines of this start alone', async () => {
    const definition = shell('echo the port is taken; exit 7')
    await writeFile(definition.logFile, 'an old complaint\n')

    const failure = await supervise(definition).catch((error: Error) => error.message)

    expect(failure).toContain('did not start: it ended with exit code 7')
    expect(failure).toContain(definition.logFile)
    expect(failure).toContain('the port is taken')
    expect(failure).not.toContain('an old complaint')
  })

  test('because it aborts itself: it is started with another command', async () => {
    const definition = shell('ulimit -c 0; kill -ABRT $$')
    const command = { ...definition.command, args: ['-c', 'touch "$READY"; exec sleep 600'] }

    const service = await supervise({ ...definition, afterAbort: async () => command })
    onTestFinished(() => service.stop())

    expect(service.health()).toMatchObject({ state: 'healthy', restarts: 0 })
  })

  test('and does nothing: it is ended and the error says so', async () => {
    const definition = shell('echo $$ > "$READY.pid"; exec sleep 600', { stuckAfterMs: 300 })

    await expect(supervise(definition)).rejects.toThrow('it runs, but has done nothing for 0.3 s')

    expect(isAlive(Number(await readFile(`${definition.readyFile}.pid`, 'utf8')))).toBe(false)
  })

  test('because there is no such program: the error names it', async () => {
    const definition = shell('', { command: { file: '/nowhere/postgres', args: [] } })

    await expect(supervise(definition)).rejects.toThrow('/nowhere/postgres cannot be run')
  })

  test('because the stack stops meanwhile: it is ended at once', async () => {
    const stopping = new AbortController()
    const definition = shell('echo $$ > "$READY.pid"; exec sleep 600', { signal: stopping.signal })
    const started = supervise(definition).catch((error: Error) => error)
    await eventually(async () => (await stat(`${definition.readyFile}.pid`).catch(() => undefined)) !== undefined)

    stopping.abort()

    expect(await started).toBeInstanceOf(Error)
    expect(isAlive(Number(await readFile(`${definition.readyFile}.pid`, 'utf8')))).toBe(false)
  })
})

test('no server outlives an engine that was killed with SIGKILL', async () => {
  const module = (name: string) => JSON.stringify(new URL(name, import.meta.url).href)
  const { ready: _ready, guard: _guard, signal: _signal, ...definition } = shell('trap "" TERM HUP; sleep 600 & wait')
  const script = `
    const { supervise } = await import(${module('./supervise.ts')})
    const { startGuard } = await import(${module('./guard.ts')})
    const rest = { ready: async () => true, guard: startGuard(), signal: new AbortController().signal }
    const service = await supervise({ ...${JSON.stringify(definition)}, ...rest })
    console.log(service.health().pid)
    setInterval(() => {}, 1000)`
  const engine = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    cwd: join(import.meta.dirname, '../..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(engine.stdout.setEncoding('utf8'), 'data')
  const pid = Number(line)
  expect(isAlive(pid)).toBe(true)

  engine.kill('SIGKILL')

  expect(await eventually(async () => !isAlive(pid))).toBe(true)
})
