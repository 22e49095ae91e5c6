import fc from 'fast-check'
import { columnStatements } from './column-statements.ts'
import { dataStatements } from './data-statements.ts'
import type { MakeStatements } from './statement.ts'
import { tableStatements } from './table-statements.ts'
import { transactionStatements } from './transaction-statements.ts'

/** The relative frequency of each step. */
export const stepWeights = {
  createKeyed: 6,
  createKeyless: 3,
  createAs: 2,
  createPartitioned: 2,
  createHeir: 1,
  detach: 1,
  attach: 1,
  dropTable: 1,
  recreate: 1,
  renameTable: 2,
  createEnum: 1,
  insert: 24,
  insertMany: 3,
  update: 24,
  delete: 8,
  changeKeys: 4,
  swapKeys: 3,
  replaceRow: 3,
  truncate: 2,
  addPlain: 3,
  addConstant: 2,
  addVolatile: 1,
  addIdentity: 1,
  addGenerated: 2,
  dropAndAdd: 2,
  dropColumn: 2,
  renameColumn: 2,
  widen: 2,
  rewrite: 1,
  setNotNull: 2,
  addKey: 1,
  dropKey: 1,
  changeKey: 1,
  addUnique: 1,
  dropUnique: 1,
  replicaIdentity: 1,
  addLabel: 1,
  renameLabel: 1,
  begin: 14,
  commit: 12,
  rollback: 3,
  savepoint: 3,
  rollbackToSavepoint: 2,
} satisfies Record<StepKind, number>

/** The statements that a step may run. */
export const stepStatements = {
  ...tableStatements,
  ...columnStatements,
  ...dataStatements,
  ...transactionStatements,
} satisfies Record<string, MakeStatements>

export type StepKind = keyof typeof stepStatements

/** A step of one session. `choice` decides its objects, from the schema at that time. */
export type Step = { session: number; kind: StepKind; choice: number }

/** Interleaved steps of a few sessions. */
export type History = { sessions: number; steps: Step[] }

/** Random histories of this many steps. Each begins with two tables. */
export function histories(steps: number): fc.Arbitrary<History> {
  const kinds = Object.entries(stepWeights).map(([kind, weight]) => ({
    arbitrary: fc.constant(kind as StepKind),
    weight,
  }))
  const kind = fc.oneof(...kinds)
  const choice = fc.integer()
  return fc.integer({ min: 2, max: 3 }).chain((sessions) => {
    const session = fc.nat({ max: sessions - 1 })
    const step = fc.record({ session, kind, choice })
    const first = fc.record({
      session: fc.constant(0),
      kind: fc.constantFrom<StepKind>('createKeyed', 'createKeyless'),
      choice,
    })
    return fc
      .tuple(
        fc.array(first, { minLength: 2, maxLength: 2 }),
        fc.array(step, { minLength: steps, maxLength: steps, size: 'max' }),
      )
      .map(([opening, rest]) => ({ sessions, steps: [...opening, ...rest] }))
  })
}
