import { expect, test } from 'vitest'
import { describePlan, describeSteps } from './recovery-report.ts'

const finding = {
  cause: 'the replication slot tidemark_e1 is gone',
  follows: 'No change of the source arrives in the target.',
  action: 'A new epoch begins.',
  readers: 'Readers see the rows that each table has now.',
}

const step = (what: string, done: boolean, error?: string) => ({ what, done, ...(error !== undefined && { error }) })

test('it says what happened, the consequence, what will be done and what readers see, before the steps', () => {
  const plan = {
    diagnosis: { state: 'down' as const, findings: [finding] },
    steps: [step('begin epoch 2', false)],
    epoch: 2,
  }

  expect(describePlan(plan)).toBe(`What happened    The replication slot tidemark_e1 is gone.
What follows     No change of the source arrives in the target.
What is done     A new epoch begins.
Readers          Readers see the rows that each table has now.

Steps
  1. begin epoch 2`)
})

test('where nothing is wrong, or nothing can be done, it says that', () => {
  expect(describePlan({ diagnosis: { state: 'running', findings: [] }, steps: [], epoch: 1 })).toBe(
    'Nothing is wrong with capture.',
  )
  expect(describePlan({ diagnosis: { state: 'starting', findings: [finding] }, steps: [], epoch: 1 })).toContain(
    'Tidemark can do nothing about it.',
  )
})

test('a step that failed is reported with its reason and how to go on', () => {
  expect(describeSteps([step('one', true), step('two', false, 'no answer'), step('three', false)])).toBe(`done      one
failed    two: no answer
not done  three
Run npm run recover again once the cause is gone: it goes on where it stopped.`)
})
