import type { CaptureFacts } from './capture-facts.ts'
import { type ConnectorFinding, connectorFindings } from './connector-findings.ts'
import { deliveryFindings } from './delivery-findings.ts'
import type { Finding } from './finding.ts'
import { sourceFindings } from './source-findings.ts'
import { targetFindings } from './target-findings.ts'

/** How capture is: `starting` needs nothing but time, `down` needs a repair. */
export type CaptureState = 'running' | 'starting' | 'down'

export type Diagnosis = {
  readonly state: CaptureState
  /** The worst first; empty where nothing is wrong. */
  readonly findings: readonly Finding[]
}

/** What is wrong with capture and what repairs it. Pure: the same facts give the same diagnosis. */
export function diagnose(facts: CaptureFacts): Diagnosis {
  const source = sourceFindings(facts)
  const delivery = deliveryFindings(facts)
  const connector = connectorFindings(facts)
  const isExplained = [...source, ...delivery].some(needsEpoch)
  // A task that failed because of what was found beside is not started again for it.
  const own = isExplained ? connector.filter((finding) => !finding.isExplainedByOthers) : connector
  const findings = [...source, ...delivery, ...own.map(withoutMark), ...targetFindings(facts)].toSorted(
    (a, b) => weight(a) - weight(b),
  )
  return { state: stateOf(findings), findings }
}

const needsEpoch = ({ repair }: Finding): boolean => repair?.kind === 'new epoch'

const withoutMark = ({ isExplainedByOthers: _, ...finding }: ConnectorFinding): Finding => finding

/** What needs a new epoch first, then other repairs, then what passes by itself. */
const weight = (finding: Finding): number => (needsEpoch(finding) ? 0 : finding.repair !== null ? 1 : 2)

function stateOf(findings: readonly Finding[]): CaptureState {
  if (findings.some(({ repair, stopsCapture }) => repair !== null && stopsCapture)) return 'down'
  return findings.some(({ stopsCapture }) => stopsCapture) ? 'starting' : 'running'
}

/** Whether starting the failed task again is all that there is to do. */
export const needsRestartOnly = ({ findings }: Diagnosis): boolean => {
  const repairs = findings.filter(({ repair }) => repair !== null)
  return repairs.length > 0 && repairs.every(({ repair }) => repair?.kind === 'restart task')
}
