import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { main } from './recover.ts'

beforeEach(() => {
  vi.stubEnv('TIDEMARK_DIRECTORY', '/nowhere/tidemark')
})

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})

test('without a terminal it does nothing unless --yes says that no question is asked', async () => {
  await expect(main([])).rejects.toThrow('there is no terminal to ask on: give --yes, or --dry-run')
  await expect(main(['--json'])).rejects.toThrow('there is no terminal to ask on')
})

test('a time that is not a number is a wrong argument', async () => {
  await expect(main(['--yes', '--timeout', 'soon'])).rejects.toThrow('--timeout soon is not a number of seconds')
})

test('where nothing runs it says how to start it, and exits with 2', async () => {
  const error = vi.spyOn(console, 'error').mockReturnValue()

  expect(await main(['--yes'])).toBe(2)
  expect(error.mock.calls.join()).toContain('start it with "npm start"')
})

test('it says what it does', async () => {
  const log = vi.spyOn(console, 'log').mockReturnValue()

  expect(await main(['--help'])).toBe(0)
  expect(log.mock.calls.join()).toContain('npm run recover')
})
