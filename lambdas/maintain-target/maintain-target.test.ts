import { expect, test } from 'vitest'
import { makeMaintainTarget } from './maintain-target.ts'

const round = (more: boolean, dropped: string | null = null) => ({
  dropped,
  changes: 10_000,
  auditMessages: 2,
  markers: 1,
  more,
})

function targetOf(rounds: ReturnType<typeof round>[]) {
  return { query: async () => ({ rows: [{ round: rounds.shift()! }] }) } as never
}

test('goes on until a round leaves nothing, and adds up what was removed', async () => {
  const target = targetOf([round(true, 'change_20261001'), round(true, 'change_20261002'), round(false)])

  const summary = await makeMaintainTarget({ target, now: () => 0 })(1)

  expect(summary).toEqual({
    dropped: ['change_20261001', 'change_20261002'],
    changes: 30_000,
    auditMessages: 6,
    markers: 3,
    unfinished: false,
  })
})

test('leaves the rest to the next run when its time is over', async () => {
  const clock = [0, 5]
  const target = targetOf([round(true), round(true), round(true)])

  const summary = await makeMaintainTarget({ target, now: () => clock.shift()! })(5)

  expect(summary).toMatchObject({ changes: 20_000, unfinished: true })
})
