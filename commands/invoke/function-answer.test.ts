import { expect, test } from 'vitest'
import { describeAnswer } from './function-answer.ts'

const answer = {
  functionName: 'tidemark-local-producer',
  statusCode: 200,
  payload: '{"sent":3}',
  log: 'START\nsending\n',
}
const failed = { ...answer, functionError: 'Unhandled', payload: '{"errorType":"RangeError","errorMessage":"rate"}' }

test('an answer is shown readable', () => {
  expect(describeAnswer(answer, false)).toEqual({ out: '{\n  "sent": 3\n}', err: '' })
})

test('an error is shown with the end of the log', () => {
  const { out, err } = describeAnswer(failed, false)

  expect(out).toBe('')
  expect(err).toContain('tidemark-local-producer failed:\n{\n  "errorType": "RangeError"')
  expect(err).toMatch(/The end of its log:\nSTART\nsending$/)
})

test('a function that runs later has no answer yet', () => {
  expect(describeAnswer({ ...answer, statusCode: 202, payload: '', log: '' }, false)).toEqual({
    out: 'tidemark-local-producer will run.',
    err: '',
  })
})

test('as JSON it is one line with everything', () => {
  const { out, err } = describeAnswer(failed, true)

  expect(err).toBe('')
  expect(out).not.toContain('\n')
  expect(JSON.parse(out)).toEqual({ ...failed, payload: { errorType: 'RangeError', errorMessage: 'rate' } })
})
