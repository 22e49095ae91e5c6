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

test('one that cannot be stopped keeps no other from it', async () => {
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
