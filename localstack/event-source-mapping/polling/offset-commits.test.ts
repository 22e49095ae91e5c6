import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type GroupOffset, makeOffsetCommits } from './offset-commits.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const at = (offset: number, partition = 0): GroupOffset => ({ topic: 't', partition, offset })

function commits() {
  const requests: string[] = []
  const answers: PromiseWithResolvers<void>[] = []
  const errors: Error[] = []
  const { processed, flush } = makeOffsetCommits({
    commit: (offsets) => {
      requests.push(offsets.map(({ partition, offset }) => `${partition}:${offset}`).join(' '))
      answers.push(Promise.withResolvers())
      return answers.at(-1)!.promise
    },
    onCommitted: () => undefined,
    onError: (error) => errors.push(error),
  })
  const answer = async () => {
    answers.at(-1)!.resolve()
    await vi.advanceTimersByTimeAsync(0)
  }
  return { processed, flush, requests, errors, answers, answer }
}

test('what is processed is committed at once, and the newest of what follows a tenth of a second later', async () => {
  const { processed, requests, answer } = commits()
  processed(at(1))
  expect(requests).toEqual(['0:1'])
  await answer()
  for (let offset = 2; offset < 50; offset++) processed(at(offset))
  processed(at(7, 1))

  await vi.advanceTimersByTimeAsync(99)
  expect(requests).toEqual(['0:1'])
  await vi.advanceTimersByTimeAsync(1)
  expect(requests).toEqual(['0:1', '0:49 1:7'])
})

test('after a pause the next offset is committed at once again', async () => {
  const { processed, requests, answer } = commits()
  processed(at(1))
  await answer()
  await vi.advanceTimersByTimeAsync(100)
  processed(at(2))
  expect(requests).toEqual(['0:1', '0:2'])
})

test('stopping commits what is processed at once, also behind a commit that is under way', async () => {
  const { processed, flush, requests, answer } = commits()
  processed(at(1))
  processed(at(2))
  const flushed = vi.fn()
  void flush().then(flushed)
  await answer()
  expect(requests).toEqual(['0:1', '0:2'])
  expect(flushed).not.toHaveBeenCalled()
  await answer()
  expect(flushed).toHaveBeenCalled()

  const paused = commits()
  paused.processed(at(1))
  await paused.answer()
  paused.processed(at(2))
  const settled = paused.flush()
  await vi.advanceTimersByTimeAsync(0)
  expect(paused.requests).toEqual(['0:1', '0:2'])
  await paused.answer()
  await settled
})

test('a commit that fails is reported, and makes the flush that waits for it fail', async () => {
  const { processed, flush, errors, answers } = commits()
  processed(at(1))
  const flushed = flush()
  answers[0]!.reject(new Error('not the coordinator'))
  await expect(flushed).rejects.toThrow('not the coordinator')
  expect(errors).toEqual([new Error('not the coordinator')])
})
