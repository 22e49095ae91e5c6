import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { findRunningEngine, lockDirectory } from './engine-lock.ts'

const endpoints = {
  endpoint: 'http://127.0.0.1:1',
  source: 'postgres://a:b@127.0.0.1:2/source',
  target: 'postgres://a:b@127.0.0.1:3/target',
  reader: 'postgres://r:b@127.0.0.1:3/target',
  kafka: '127.0.0.1:4',
  connect: 'http://127.0.0.1:5',
  objectStore: 'http://127.0.0.1:6',
  catalog: 'http://127.0.0.1:7/iceberg',
  key: { accessKeyId: 'TIDEMARK', secretAccessKey: 's', token: 't' },
}

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-lock-'))
  onTestFinished(() => rm(directory, { recursive: true }))
})

test('an existing directory keeps its mode; one that others have access to is refused, with the command', async () => {
  const modeOf = async (path: string) => (await stat(path)).mode & 0o777
  const privately = process.getuid?.() === 0 ? 0o711 : 0o700
  for (const mode of [0o755, 0o770, 0o702]) {
    await chmod(directory, mode)
    await expect(lockDirectory(directory)).rejects.toThrow(`run chmod ${privately.toString(8)} '${directory}'`)
    expect(await modeOf(directory)).toBe(mode)
    expect(await readdir(directory)).toEqual([])
  }
  await chmod(directory, 0o700)
  await (await lockDirectory(directory)).release()
  expect(await modeOf(directory)).toBe(0o700)

  const fresh = join(directory, 'fresh')
  await (await lockDirectory(fresh)).release()
  expect(await modeOf(fresh)).toBe(privately)
})

test('a second engine on the same directory is refused, naming the first', async () => {
  const first = await lockDirectory(directory)

  await expect(lockDirectory(directory)).rejects.toThrow(`already runs in ${directory}, as process ${process.pid}`)

  await first.release()
  await (await lockDirectory(directory)).release()
  expect(await readdir(directory)).toEqual([])
})

test('an engine is found once it has come up, not while it starts and not after it has stopped', async () => {
  const lock = await lockDirectory(directory)
  expect(await findRunningEngine(directory)).toBeUndefined()

  await lock.publish(endpoints, { A: 'b' })

  expect(await findRunningEngine(directory)).toEqual({ pid: process.pid, endpoints, outputs: { A: 'b' } })
  // The file contains passwords.
  expect((await stat(join(directory, 'engine.json'))).mode & 0o777).toBe(0o600)

  await lock.release()
  expect(await findRunningEngine(directory)).toBeUndefined()
})

test('the lock of a process that is gone is void, also when its number belongs to another process now', async () => {
  const child = spawn('true')
  await once(child, 'exit')
  const leftBehind = [
    JSON.stringify({ pid: child.pid, startedAt: '1', endpoints }),
    JSON.stringify({ pid: process.ppid, startedAt: 'long ago', endpoints }),
    '',
  ]

  for (const content of leftBehind) {
    await writeFile(join(directory, 'engine.json'), content)
    expect(await findRunningEngine(directory)).toBeUndefined()

    const lock = await lockDirectory(directory)

    expect(JSON.parse(await readFile(join(directory, 'engine.json'), 'utf8'))).toMatchObject({ pid: process.pid })
    await lock.release()
  }
})

test('of many that start at once on a void lock one gets it', async () => {
  await writeFile(join(directory, 'engine.json'), JSON.stringify({ pid: 0, startedAt: '' }))

  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => lockDirectory(directory)))

  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  expect(await readdir(directory)).toEqual(['engine.json'])
})
