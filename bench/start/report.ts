import type { ResultTable } from '../bench-command.ts'
import { pairedRatios, spreadOf } from '../machine/statistics.ts'

/** The measures of each turn, in their order. */
export type StartMeasures = {
  /** Kafka, Connect and a connector alone, until a change is on its topic. */
  readonly aloneSeconds: readonly number[]
  /** `npm start`, until a change is visible. */
  readonly wholeSeconds: readonly number[]
  /** Resident memory of the whole stack at that time. */
  readonly residentMb: readonly number[]
}

export function describeStart({ aloneSeconds, wholeSeconds, residentMb }: StartMeasures): ResultTable[] {
  const rows = [
    ['Kafka, Connect and connector alone: a change is on the topic', aloneSeconds],
    ['npm start: a change is visible', wholeSeconds],
  ] as const
  const memory = spreadOf(residentMb)
  return [
    {
      title: 'Start, everything downloaded',
      header: ['what', 'seconds, median', 'lowest to highest', '÷ Kafka and Connect alone'],
      rows: rows.map(([what, seconds]) => {
        const { median, least, most } = spreadOf(seconds)
        const ratio = spreadOf(pairedRatios(seconds, aloneSeconds)).median
        return [what, median.toFixed(1), `${least.toFixed(1)} – ${most.toFixed(1)}`, ratio.toFixed(2)]
      }),
      notes: [
        `${aloneSeconds.length} starts of each in turns, the ratio that of the same turn. Resident memory of the whole stack when the change is visible: ${memory.median} MB (${memory.least} – ${memory.most}).`,
      ],
    },
  ]
}
