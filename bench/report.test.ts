import { expect, test } from 'vitest'
import type { BenchCommand, BenchResult } from './bench-command.ts'
import { describeResults } from './report.ts'

const command = (name: string): BenchCommand => ({
  ...{ name, help: '' },
  run: () => Promise.reject(new Error('a report measures nothing')),
  describe: (measures: { value: string }) => [
    { title: `Of ${name}`, header: ['what', 'figure'], rows: [['it', measures.value]], notes: ['A note.'] },
  ],
})

const result = (name: string, value: string): BenchResult => ({
  ...{ command: name, arguments: ['--runs', '2'], measuredAt: '2026-01-02T03:04:05.000Z', measures: { value } },
  machine: {
    ...{ cores: 2, processor: 'A Processor', memoryGb: 16, platform: 'linux x64', node: '24.0.0' },
    ...{ commit: 'abc', loadBefore: 0.25 },
  },
  configuration: { history: 'on' },
})

test('the report has results in the order of the commands, each with what it was measured on', () => {
  const report = describeResults([command('drain'), command('live')], [result('live', '2'), result('drain', '1')])

  expect(report.slice(report.indexOf('## '))).toBe(`## Of drain

| what | figure |
| --- | ---: |
| it | 1 |

A note.

\`npm run bench -- drain --runs 2\`, 2026-01-02, commit abc: 2 cores (A Processor),
16 GB of memory, Node 24.0.0, load average before it 0.25.

- history: on

## Of live

| what | figure |
| --- | ---: |
| it | 2 |

A note.

\`npm run bench -- live --runs 2\`, 2026-01-02, commit abc: 2 cores (A Processor),
16 GB of memory, Node 24.0.0, load average before it 0.25.

- history: on
`)
})

test('a command has as many results as files, one for each workload', () => {
  const report = describeResults([command('drain')], [result('drain', '1'), result('drain', '2')])

  expect(report.match(/## Of drain/g)).toHaveLength(2)
  expect(report).not.toContain('Not measured yet')
})

test('a measurement of which no result is kept is listed with its command', () => {
  const report = describeResults([command('drain'), command('live')], [result('drain', '1')])

  expect(report).toContain('## Not measured yet\n\nNo result is kept of these:\n\n- `npm run bench -- live --save`\n')
})
