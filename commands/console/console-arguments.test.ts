import { expect, test } from 'vitest'
import { readConsoleArguments } from './console-arguments.ts'

test('without arguments it is for the stack that runs here, and only shows', () => {
  expect(readConsoleArguments([], {})).toEqual({
    ...{ help: false, json: false, port: 15_480, allowsActions: false, of: { kind: 'local' } },
  })
  expect(readConsoleArguments(['--port', '15500', '--allow-actions', '--json'], {})).toMatchObject({
    ...{ json: true, port: 15_500, allowsActions: true },
  })
  expect(readConsoleArguments([], { TIDEMARK_CONSOLE_ACTIONS: '1', TIDEMARK_CONSOLE_PORT: '15501' })).toMatchObject({
    ...{ port: 15_501, allowsActions: true },
  })
})

test('URLs are those of a pipeline elsewhere, of which the target alone is needed', () => {
  const target = 'postgres://reader@db.example/target'

  expect(readConsoleArguments([target], {}).of).toEqual({
    ...{ kind: 'urls', target, source: undefined, connect: undefined, kafka: undefined },
  })
  const all = [target, 'http://connect.example:8083', '--source', 'postgres://a@s/b', '--kafka', 'a:9092,b:9092']
  expect(readConsoleArguments(all, {}).of).toEqual({
    ...{ kind: 'urls', target, source: 'postgres://a@s/b', connect: 'http://connect.example:8083' },
    kafka: 'a:9092,b:9092',
  })
  expect(readConsoleArguments(['--api', 'https://x.execute-api.eu-west-1.amazonaws.com'], {}).of).toEqual({
    ...{ kind: 'api', url: 'https://x.execute-api.eu-west-1.amazonaws.com' },
  })
})

test.each([
  [['mysql://a@b/c'], 'the first argument is not a URL of the form postgres://'],
  [['postgres://a@b/c', 'connect'], 'the second argument is not a URL of the form http://host:8083'],
  [['postgres://a@b/c', 'http://c', 'more'], 'left over: more'],
  [['--source', 'postgres://a@b/c'], '--source and --kafka belong to the URL of a target'],
  [['postgres://a@b/c', '--kafka', 'broker'], '--kafka broker is not a list of brokers'],
  [['--api', 'http://x'], '--api is not a URL of the form https://'],
  [['--api', 'https://x', 'postgres://a@b/c'], 'give no other URL beside it'],
  [['postgres://a@b/c', '--allow-actions'], '--allow-actions is for the stack that runs here'],
  [['--port', '80'], '--port 80 is not a port'],
])('%j is refused with what is wrong', (argv, message) => {
  expect(() => readConsoleArguments(argv, {})).toThrow(message)
})

test('a URL that is refused is not in the message, because it may have a password', () => {
  expect(() => readConsoleArguments(['mysql://a:hunter2@b/c'], {})).toThrow(
    expect.objectContaining({ message: expect.not.stringContaining('hunter2') }),
  )
})
