import { setTimeout as pause } from 'node:timers/promises'
import { CONNECTOR, makeWithin } from '#adapters/connect/running-connector.ts'
import {
  type CaptureHealth,
  readRestarts,
  withCaptureLock,
  writeHealth,
} from '#adapters/postgres/capture/capture-health.ts'
import { newestBeaconAgeMs } from '#core/recovery/beacon-age.ts'
import type { CaptureFacts } from '#core/recovery/capture-facts.ts'
import { type CaptureState, type Diagnosis, diagnose, needsRestartOnly } from '#core/recovery/diagnosis.ts'
import type { Finding } from '#core/recovery/finding.ts'
import { describeStep, planNewEpoch, planRecovery, type RecoveryStep } from '#core/recovery/recovery-plan.ts'
import { nextRestartMs, type Restarts, whileRunning } from '#core/recovery/restart-backoff.ts'
import { metricsLine } from '../metrics-line.ts'
import { executeStep, type Recovering } from './execute-step.ts'
import { readFacts } from './read-facts.ts'

export type RecoverCapture = Omit<Recovering, 'within'> & {
  /** Milliseconds since 1970. */
  now: () => number
  print: (line: string) => void
}

/** The answer of a look or a recovery. */
export type RecoveryAnswer = {
  diagnosis: { state: CaptureState; findings: Omit<Finding, 'repair' | 'stopsCapture'>[] }
  /** Steps in the order of the plan. `error` says why a step was not done; the steps after it were not tried. */
  steps: { what: string; done: boolean; error?: string }[]
  /**
   * The epoch that was begun or would be; otherwise the epoch of the source, or null when the source does not answer.
   */
  epoch: number | null
}

export type RecoverRequest = { recover?: { dryRun: boolean; newEpoch: boolean } | undefined }

/** The command that users run. */
const COMMAND = 'npm run recover'

/** Longest wait for the effect of a step: a worker that died keeps its slot for two minutes. */
const STEP_MS = 240_000

/** How long a recovery waits for a look, which ends within about a second, or for another recovery. */
const LOCK_WAIT_MS = 90_000

/**
 * Without `recover` this is a look. It diagnoses capture, and notes the result in `tidemark.capture_health`. It starts
 * a failed task again when nothing else is needed, at growing intervals. It sets the consumer groups of an archive that
 * begins again to the first records of their topics. With `recover` it says what it will do and, unless it is a dry
 * run, does it. Only one runs at a time: a look does nothing while another run works, and a recovery waits for it.
 * Throws when the target does not answer.
 */
export function makeRecoverCapture(world: RecoverCapture) {
  return async ({ recover }: RecoverRequest, deadline: number): Promise<RecoveryAnswer | { busy: true }> => {
    const work = () => (recover === undefined ? look(world, deadline) : repair(world, recover, deadline))
    const until = recover === undefined ? 0 : Math.min(deadline, world.now() + LOCK_WAIT_MS)
    for (;;) {
      const answer = await withCaptureLock(world.target, work)
      if (answer !== undefined) return answer
      if (recover === undefined) return { busy: true }
      if (world.now() >= until) throw new Error('another recovery is under way: wait until it has ended')
      await pause(500)
    }
  }
}

async function look(world: RecoverCapture, deadline: number): Promise<RecoveryAnswer> {
  const facts = await readFacts(world)
  const diagnosis = diagnose(facts)
  const ofArchive = diagnosis.findings.filter(isOfArchiveStart)
  const findings = diagnosis.findings.filter((finding) => !isOfArchiveStart(finding))
  const { steps } = await lookAtCapture(world, facts, { ...diagnosis, findings })
  const ofGroups = await executePlan(planRecovery({ ...diagnosis, findings: ofArchive }, facts), world, deadline)
  return describe(diagnosis, [...steps, ...ofGroups], epochOf(facts))
}

/** A user agreed to this when the archive got its new table, and nothing is archived before it is done. */
const isOfArchiveStart = ({ repair }: Finding): boolean => repair?.kind === 'begin archive again'

async function lookAtCapture(
  world: RecoverCapture,
  facts: CaptureFacts,
  diagnosis: Diagnosis,
): Promise<RecoveryAnswer> {
  const before = await readRestarts(world.target)
  const nowMs = world.now()
  if (!needsRestartOnly(diagnosis)) {
    const restarts = diagnosis.state === 'running' ? whileRunning(before, nowMs) : before
    await note(world, facts, diagnosis, restarts)
    return describe(diagnosis, [], epochOf(facts))
  }
  const dueMs = nextRestartMs(before, nowMs)
  if (nowMs < dueMs) {
    await note(
      world,
      facts,
      diagnosis,
      before,
      `it is started again in ${Math.ceil((dueMs - nowMs) / 60_000)} min at the latest`,
    )
    return describe(diagnosis, [], epochOf(facts))
  }
  await world.connect.restart(CONNECTOR, 'failed')
  const restarts = { count: before.count + 1, lastMs: nowMs }
  await note(world, facts, diagnosis, restarts, 'it has been started again a moment ago')
  return describe(diagnosis, [{ what: describeStep({ kind: 'restart task' }), done: true }], epochOf(facts))
}

async function repair(
  world: RecoverCapture,
  { dryRun, newEpoch }: { dryRun: boolean; newEpoch: boolean },
  deadline: number,
): Promise<RecoveryAnswer> {
  const facts = await readFacts(world)
  const diagnosis = diagnose(facts)
  const plan = newEpoch ? planNewEpoch(diagnosis, facts) : planRecovery(diagnosis, facts)
  const begun = plan.find((step) => step.kind === 'new epoch')?.epoch ?? epochOf(facts)
  const planned = plan.map((step) => ({ what: describeStep(step), done: false }))
  if (dryRun) return describe(diagnosis, planned, begun)

  const steps = await executePlan(plan, world, deadline)
  const after = await readFacts(world)
  await note(world, after, diagnose(after), { count: 0, lastMs: null })
  return describe(diagnosis, steps, begun)
}

/**
 * Executes the steps one after the other. After a step that failed none is tried, because it would rely on that step.
 */
async function executePlan(
  plan: readonly RecoveryStep[],
  world: RecoverCapture,
  deadline: number,
): Promise<RecoveryAnswer['steps']> {
  const steps: RecoveryAnswer['steps'] = plan.map((step) => ({ what: describeStep(step), done: false }))
  for (const [index, step] of plan.entries()) {
    const until = Math.min(deadline, world.now() + STEP_MS)
    try {
      await executeStep(step, { ...world, within: makeWithin(() => until - world.now()) })
      steps[index]!.done = true
    } catch (error) {
      steps[index]!.error = (error as Error).message
      break
    }
  }
  return steps
}

const epochOf = ({ source }: CaptureFacts): number | null =>
  'value' in source ? (source.value.setting?.epoch ?? null) : null

function describe(
  { state, findings }: Diagnosis,
  steps: RecoveryAnswer['steps'],
  epoch: number | null,
): RecoveryAnswer {
  return {
    diagnosis: {
      state,
      findings: findings.map(({ cause, follows, action, readers }) => ({ cause, follows, action, readers })),
    },
    steps,
    epoch,
  }
}

/** Stores the result for status and compare, and writes it as metrics. */
async function note(
  { target, now, print }: RecoverCapture,
  facts: CaptureFacts,
  diagnosis: Diagnosis,
  restarts: Restarts,
  more?: string,
): Promise<void> {
  await writeHealth(target, healthOf(diagnosis, more), restarts)
  const ageMs = newestBeaconAgeMs(facts)
  print(
    metricsLine('capture', now(), [
      { name: 'CaptureNotRunning', unit: 'Count', value: diagnosis.state === 'running' ? 0 : 1 },
      { name: 'BeaconAgeSeconds', unit: 'Seconds', value: ageMs === null ? undefined : Math.max(0, ageMs / 1_000) },
    ]),
  )
}

function healthOf({ state, findings }: Diagnosis, more?: string): CaptureHealth {
  const finding = findings.find(({ stopsCapture }) => stopsCapture)
  if (state === 'running' || finding === undefined) return { state, cause: null, follows: null, command: null }
  const cause = more === undefined ? finding.cause : `${finding.cause}; ${more}`
  return { state, cause, follows: finding.follows, command: state === 'down' ? COMMAND : null }
}
