import type { Choice } from '../histories/choice.ts'
import { ChangeLog } from './change-log.ts'
import type { LivedChange } from './lived-change.ts'

/** A record in its topic partition, with its change if it has one. */
export type Sent = {
  readonly topicPartition: number
  readonly epoch: number
  readonly generation: number
  readonly expected?: LivedChange
  readonly leavesOut?: boolean
  readonly append: (log: ChangeLog) => void
}

/**
 * The changes that were sent, and those that capture sends again: all from an earlier place on after a restart, or some
 * from a worker that is thought to be dead.
 */
export function delivered({ below, chance }: Choice, sent: readonly Sent[], topicPartitions: number) {
  const logs = Array.from({ length: topicPartitions }, (_, slot) => new ChangeLog(slot).start())
  const expected = logs.map(() => new Map<number, LivedChange>())
  const append = (one: Sent) => {
    const log = logs[one.topicPartition]!
    if (one.expected !== undefined) expected[one.topicPartition]!.set(log.records.length, one.expected)
    one.append(log)
  }
  let restarts = 5
  for (let at = 0; at < sent.length; at++) {
    const { epoch } = sent[at]!
    append(sent[at]!)
    if (restarts === 0 || !chance(6)) continue
    restarts--
    const isDead = chance(30)
    let from = Math.max(0, at - below(isDead && chance(50) ? 200 : 40))
    while (mayNotComeAgain(sent, from, at, isDead)) from++
    const again = sent.slice(from, at + 1).filter(({ expected }) => expected?.op !== 'read')
    if (isDead) again.splice(again.length - below(3))
    for (const log of logs) log.start(epoch)
    for (const one of again) append(one)
  }
  return { logs, expected }
}

/**
 * Whether the changes from `from` on may not come again at `at`. A worker that is thought to be dead sends nothing of
 * an earlier generation, and no worker sends anything of an earlier epoch. An update of an earlier generation that
 * leaves a value out may not come again either, because a snapshot that began later does not have the value, so its
 * table would be read once more.
 */
function mayNotComeAgain(sent: readonly Sent[], from: number, at: number, isDead: boolean): boolean {
  const { epoch, generation } = sent[at]!
  const isFormer = (one: Sent) => one.generation < generation
  if (!isFormer(sent[from]!)) return false
  return (
    isDead || sent[from]!.epoch < epoch || sent.slice(from, at).some((one) => one.leavesOut === true && isFormer(one))
  )
}
