// Why does no change arrive? The facts of source, Connect, Kafka and target become findings.

import type { CaptureFacts } from './capture-facts.ts'
import { type ConnectorFinding, connectorFindings } from './connector-findings.ts'
import { deliveryFindings } from './delivery-findings.ts'
import type { Finding } from './finding.ts'
import { sourceFindings } from './source-findings.ts'
import { stopFindings } from './stop-findings.ts'
import { targetFindings } from './target-findings.ts'

/** State of capture: `starting` resolves by itself, `down` needs a repair. */
export type CaptureState = 'running' | 'starting' | 'down'

export type Diagnosis = {
  readonly state: CaptureState
  /** The most severe first; empty when nothing is wrong. */
  readonly findings: readonly Finding[]
}

/** Finds out what is wrong with capture and what repairs it. Pure: the same facts give the same diagnosis. */
export function diagnose(facts: CaptureFacts): Diagnosis {
  const source = sourceFindings(facts)
  const delivery = deliveryFindings(facts)
  const connector = connectorFindings(facts)
  const isExplained = [...source, ...delivery].some(needsEpoch)
  // A task that failed because of another finding would fail again, so starting it again is not proposed.
  const own = isExplained ? connector.filter((finding) => !finding.isExplainedByOthers) : connector
  const ofTarget = [...stopFindings(facts), ...targetFindings(facts)]
  const findings = [...source, ...delivery, ...own.map(withoutMark), ...ofTarget].toSorted(
    (a, b) => weight(a) - weight(b),
  )
  return { state: stateOf(findings), findings }
}

const needsEpoch = ({ repair }: Finding): boolean => repair?.kind === 'new epoch'

const withoutMark = ({ isExplainedByOthers: _, ...finding }: ConnectorFinding): Finding => finding

/** Findings that need a new epoch come first, then those with another repair, then those that resolve by themselves. */
const weight = (finding: Finding): number => (needsEpoch(finding) ? 0 : finding.repair !== null ? 1 : 2)

function stateOf(findings: readonly Finding[]): CaptureState {
  if (findings.some(({ repair, stopsCapture }) => repair !== null && stopsCapture)) return 'down'
  return findings.some(({ stopsCapture }) => stopsCapture) ? 'starting' : 'running'
}

/** Whether starting the failed task again is the only repair, apart from room in the quarantine, which concerns no task. */
export const needsRestartOnly = ({ findings }: Diagnosis): boolean => {
  const repairs = findings.filter(({ repair }) => repair !== null && repair.kind !== 'make room')
  return repairs.length > 0 && repairs.every(({ repair }) => repair?.kind === 'restart task')
}
