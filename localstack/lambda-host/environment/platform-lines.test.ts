import { expect, test } from 'vitest'
import { endLines, exitReason, initReportLine, startLine, timedOutLine } from './platform-lines.ts'

// Source: AWS Lambda developer guide, "Log and monitor Node.js Lambda functions" and "Understanding the Lambda execution
// environment lifecycle" (INIT_REPORT, Runtime exited with error).

const report = { requestId: '1b2c', durationMs: 79.672, memoryMb: 128, peakBytes: 72.2 * 2 ** 20 }

test('START, END and REPORT are as in CloudWatch', () => {
  expect(startLine('1b2c')).toBe('START RequestId: 1b2c Version: $LATEST')
  expect(endLines(report)).toBe(
    'END RequestId: 1b2c\nREPORT RequestId: 1b2c\tDuration: 79.67 ms\tBilled Duration: 80 ms\tMemory Size: 128 MB\tMax Memory Used: 73 MB',
  )
})

test('a cold start is reported and billed', () => {
  expect(endLines({ ...report, initMs: 130.69 })).toContain(
    'Billed Duration: 211 ms\tMemory Size: 128 MB\tMax Memory Used: 73 MB\tInit Duration: 130.69 ms',
  )
})

test('the line of an invocation that the platform ended says so', () => {
  expect(endLines({ ...report, status: 'timeout' })).toMatch(/\tStatus: timeout$/)
  expect(endLines({ ...report, status: { errorType: 'Runtime.ExitError' } })).toMatch(
    /\tStatus: error\tError Type: Runtime.ExitError$/,
  )
  expect(initReportLine(9999.79, 'timeout')).toBe('INIT_REPORT Init Duration: 9999.79 ms\tPhase: init\tStatus: timeout')
  expect(timedOutLine('1b2c', 3)).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z 1b2c Task timed out after 3\.00 seconds$/)
})

test.each([
  [3, null, 'Runtime exited with error: exit status 3'],
  [0, null, 'Runtime exited without providing a reason'],
  [null, 'SIGKILL', 'Runtime exited with error: signal: killed'],
  [null, 'SIGABRT', 'Runtime exited with error: signal: aborted'],
  [null, 'SIGUSR1', 'Runtime exited with error: signal: SIGUSR1'],
] as const)('exit code %s, signal %s: %s', (code, signal, reason) => {
  expect(exitReason(code, signal)).toBe(reason)
})
