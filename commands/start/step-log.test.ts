import { expect, test } from 'vitest'
import { noColours } from '#terminal/style.ts'
import { makeStepLog } from './step-log.ts'

function makeLog() {
  const printed: string[] = []
  const shown: string[] = []
  const log = makeStepLog({
    print: (line) => printed.push(line),
    underWay: { show: (what) => shown.push(what), clear: () => shown.push('') },
    style: noColours,
  })
  return { log, printed, shown }
}

test('a finished step is one line with its details, and all steps under way are one line together', () => {
  const { log, printed, shown } = makeLog()

  log.take({ step: 'jars', state: 'starting', detail: '12 of 92' })
  log.take({ step: 'kafka', state: 'starting' })
  expect(shown.at(-1)).toBe('  starting jars (12 of 92), kafka')

  log.take({ step: 'kafka', state: 'healthy', detail: '1.3 s' })
  log.take({ step: 'jars', state: 'failed' })
  expect(printed).toEqual([`  ✓  ${'kafka'.padEnd(32)}1.3 s`, '  ✗  jars'])
  expect(shown.at(-1)).toBe('')
})
