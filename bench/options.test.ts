import { expect, test } from 'vitest'
import { UsageError } from '#terminal/usage-error.ts'
import { commands } from './commands.ts'
import { readCount, readCounts } from './options.ts'
import { splitArguments } from './results.ts'

test('a count is a whole number from 1', () => {
  expect(readCount('--runs', '1')).toBe(1)
  expect(readCount('--rows', '1e6')).toBe(1_000_000)
  for (const text of ['0', '-1', '1.5', 'many', '', 'Infinity']) {
    expect(() => readCount('--runs', text)).toThrow(new UsageError(`--runs ${text} is not a number from 1`))
  }
})

test('counts have commas between them, and one that is wrong is named', () => {
  expect(readCounts('--sizes', '10,200, 3000')).toEqual([10, 200, 3000])
  expect(() => readCounts('--sizes', '10,,20')).toThrow(UsageError)
  expect(() => readCounts('--sizes', '10,x')).toThrow('--sizes x is not a number from 1')
})

test('arguments that say where a result goes are not those of the measurement', () => {
  expect(splitArguments(['--runs', '2', '--save', '--peers', '--json'])).toEqual({
    isSaved: true,
    isJson: true,
    given: ['--runs', '2', '--peers'],
  })
  expect(splitArguments([])).toEqual({ isSaved: false, isJson: false, given: [] })
})

test.for(commands.map((command) => [command.name, command] as const))(
  '%s refuses an argument that is wrong before it starts anything',
  async ([, command]) => {
    const started: string[] = []
    const run = (...argv: string[]) => command.run(argv, (what) => started.push(what))
    const option = command.name === 'archive' ? '--rows' : '--runs'

    await expect(run(option, '0')).rejects.toThrow(`${option} 0 is not a number from 1`)
    await expect(run('--unknown')).rejects.toMatchObject({ code: 'ERR_PARSE_ARGS_UNKNOWN_OPTION' })
    await expect(run('positional')).rejects.toMatchObject({ code: 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL' })
    expect(started).toEqual([])
  },
)

test.for(commands.map((command) => [command.name, command] as const))(
  'the help of %s names each of its options, and those of every measurement',
  ([name, command]) => {
    const [usage, ...rest] = command.help.split('\n')
    const options = usage!.match(/--[a-z-]+/g) ?? []

    expect(usage).toMatch(new RegExp(`^npm run bench -- ${name} .*\\[--save\\] \\[--json\\]$`))
    for (const option of options) expect(rest.join('\n')).toMatch(new RegExp(`^  ${option} `, 'm'))
  },
)
