import { expect, test } from 'vitest'
import type { RecoveryAnswer } from '../../recover-capture/recover-capture.ts'
import { recoveryAction } from './recovery-action.ts'

const gone = {
  kind: 'slot gone',
  cause: 'the replication slot is gone',
  follows: 'no change is captured',
  action: 'a new slot',
  readers: 'readers see the former rows',
} as unknown as RecoveryAnswer['diagnosis']['findings'][number]

const answer = (findings: RecoveryAnswer['diagnosis']['findings'], ...what: string[]): RecoveryAnswer => ({
  diagnosis: { state: findings.length === 0 ? 'running' : 'down', findings },
  steps: what.map((each) => ({ what: each, done: false })),
  epoch: 1,
})

const request = { target: 'all', confirmed: true, who: 'ada', id: '1' }

function recovery(diagnosed: RecoveryAnswer) {
  const begun: string[] = []
  const begin = async () => begun.push('begun')
  return { action: recoveryAction({ diagnose: async () => diagnosed, begin })['capture.recover'], begun }
}

test('a recovery says what happened, each step, and what readers see', async () => {
  const { action, begun } = recovery(answer([gone], 'a new epoch begins', 'the slot is made'))

  expect(await action.plan(request)).toEqual({
    kind: 'plan',
    will: [
      'The replication slot is gone: no change is captured.',
      'A new epoch begins.',
      'The slot is made.',
      'Readers see the former rows.',
    ],
    command: 'npm run recover',
    needsReason: false,
  })
  expect(await action.execute(request)).toContain('has begun')
  expect(begun).toEqual(['begun'])
})

test('nothing is begun where nothing is wrong, or where nothing can be done', async () => {
  for (const diagnosed of [answer([]), answer([gone])]) {
    const { action, begun } = recovery(diagnosed)

    expect(await action.plan(request)).toMatchObject({ kind: 'refused' })
    await expect(action.execute(request)).rejects.toThrow()
    expect(begun).toEqual([])
  }
})
