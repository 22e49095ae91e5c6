import { expect, test } from 'vitest'
import { readStartOptions } from './options.ts'

test('without arguments the whole file is fed at 100 trips a second', () => {
  expect(readStartOptions([], {})).toEqual({
    ...{ help: false, once: false, feeds: true, json: false },
    ...{ rows: 64_215, perSecond: 100, cluster: {} },
    console: { port: 15_480, allowsActions: false },
  })
})

test('--once feeds as fast as possible, unless there is a rate', () => {
  expect(readStartOptions(['--once', '--rows', '20000'], {})).toMatchObject({ rows: 20_000, perSecond: Infinity })
  expect(readStartOptions(['--once'], { RECORD_RATE: '50' })).toMatchObject({ perSecond: 50 })
  expect(readStartOptions(['--once', '--rate', '7'], { RECORD_RATE: '50' })).toMatchObject({ perSecond: 7 })
})

test('a rate of 0 is as fast as possible', () => {
  expect(readStartOptions(['--rate', '0'], {})).toMatchObject({ perSecond: Infinity })
})

test('the console is served beside a stack that stays, and acts only if that is allowed', () => {
  expect(readStartOptions(['--once'], {}).console).toBeUndefined()
  expect(readStartOptions(['--no-console'], {}).console).toBeUndefined()
  expect(readStartOptions(['--allow-actions'], {}).console).toMatchObject({ allowsActions: true })
  expect(readStartOptions([], { TIDEMARK_CONSOLE_ACTIONS: '1' }).console).toMatchObject({ allowsActions: true })
})

test.each([
  [['--rows', 'many'], {}, '--rows many is not a whole number'],
  [['--rows', '0'], {}, '--rows 0 feeds nothing'],
  [['--rate', '1.5'], {}, '--rate 1.5 is not a whole number'],
  [[], { RECORD_RATE: '-1' }, 'RECORD_RATE -1 is not a whole number'],
  [['--once', '--no-feed'], {}, 'cannot be combined with --no-feed'],
  [['--brokers', '2'], {}, '--brokers 2 is not a number of brokers'],
  [['--once', '--allow-actions'], {}, '--allow-actions is for the console'],
  [['--fast'], {}, `Unknown option '--fast'`],
])('%j with %j is refused with its name', (args, environment, message) => {
  expect(() => readStartOptions(args, environment)).toThrow(message)
})
