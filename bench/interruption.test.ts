import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { interrupt, stopWhenInterrupted } from './interruption.ts'

test('an interruption stops what runs, once, and nothing that has stopped', async () => {
  const stopped: string[] = []
  const stopOf = (name: string) =>
    stopWhenInterrupted(async () => {
      stopped.push(name)
    })
  const [first] = [stopOf('first'), stopOf('second')]

  await first()
  await interrupt()
  await first()
  await interrupt()

  expect(stopped).toEqual(['first', 'second'])
})

test('one that cannot be stopped does not prevent the stop of the others', async () => {
  const stopped: string[] = []
  stopWhenInterrupted(() => Promise.reject(new Error('it does not answer')))
  stopWhenInterrupted(async () => {
    stopped.push('other')
  })

  await interrupt()

  expect(stopped).toEqual(['other'])
})

test('a measurement that stops while an interruption does waits for the same end', async () => {
  const ended = Promise.withResolvers<void>()
  let calls = 0
  const stop = stopWhenInterrupted(() => {
    calls++
    return ended.promise
  })

  const both = Promise.all([interrupt(), stop()])
  ended.resolve()
  await both

  expect(calls).toBe(1)
})

const measurement = `
  import { EventEmitter } from 'node:events'
  import { stopWhenInterrupted, untilInterrupted } from ${JSON.stringify(join(import.meta.dirname, 'interruption.ts'))}

  const connection = new EventEmitter()
  const server = Promise.withResolvers()
  const alive = setInterval(() => undefined, 1_000)
  const stop = stopWhenInterrupted(async () => {
    clearInterval(alive)
    // Outside of every promise, as a socket does it.
    setImmediate(() => connection.emit('error', new Error('terminating connection due to administrator command')))
    setImmediate(() => setImmediate(() => {
      console.log('stopped')
      server.resolve()
    }))
    await server.promise
  })
  const code = await untilInterrupted(async () => {
    console.log('measuring')
    await server.promise
    await stop()
    throw new Error('the server has stopped')
  })
  process.exit(code)
`

test('an interrupted measurement gives 130 once everything has stopped, whatever its connections report meanwhile', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', measurement], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line)
    if (line === 'measuring') child.kill('SIGINT')
  }

  expect(lines).toEqual(['measuring', 'stopped'])
  expect(await exited).toEqual([130, null])
})
