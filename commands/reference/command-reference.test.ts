import { expect, test, vi } from 'vitest'
import { describeCommands, readCommandHelps } from './command-reference.ts'

test('docs/commands.md has what each command prints with --help', { timeout: 120_000 }, async () => {
  const log = vi.spyOn(console, 'log').mockReturnValue()
  const printed = () => {
    const lines = log.mock.calls.map(([line]) => String(line))
    log.mockClear()
    return lines.join('\n')
  }

  const helps = await readCommandHelps(printed).finally(() => log.mockRestore())

  await expect(describeCommands(helps)).toMatchFileSnapshot('../../docs/commands.md')
})
