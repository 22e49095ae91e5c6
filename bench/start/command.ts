import { parseArgs } from 'node:util'
import type { BenchCommand } from '../bench-command.ts'
import { readCount } from '../options.ts'
import { orderOfTurn } from '../turns.ts'
import { openCaptureAlone } from './capture-alone.ts'
import { describeStart, type StartMeasures } from './report.ts'
import { openWholeStack } from './whole-stack.ts'

const help = `npm run bench -- start [--runs N] [--save] [--json]

How long "npm start" takes on data that is there until a change is visible in the target, and the memory of the whole stack
then; beside the same of Kafka, Connect and a Debezium connector alone until a change is on its topic. The change is committed
as soon as the source takes it. Both take turns; each starts once before without being counted, on an empty directory.
For a first look: --runs 1
  --runs      turns (5)
  --save      keeps the result in bench/results and rewrites bench/README.md
  --json      prints the result as JSON`

export const start: BenchCommand = {
  name: 'start',
  help,
  async run(argv, onProgress) {
    const { values } = parseArgs({ args: argv, options: { runs: { type: 'string', default: '5' } } })
    return {
      file: 'start',
      configuration: { 'npm start': '--no-feed, one broker, everything downloaded, compiled and archived before' },
      measures: await measureStarts(readCount('--runs', values.runs), onProgress),
    }
  },
  describe: describeStart,
}

async function measureStarts(runs: number, onProgress: (what: string) => void): Promise<StartMeasures> {
  const [aloneSeconds, wholeSeconds, residentMb]: [number[], number[], number[]] = [[], [], []]
  const cleanUps: (() => Promise<void>)[] = []
  try {
    onProgress('preparing')
    const captureAlone = await openCaptureAlone()
    cleanUps.push(() => captureAlone.stop())
    const wholeStack = await openWholeStack()
    cleanUps.push(() => wholeStack.stop())
    const alone = async (turn: string) => {
      onProgress(`${turn}, Kafka and Connect alone`)
      return captureAlone.start()
    }
    const whole = async (turn: string) => {
      onProgress(`${turn}, npm start`)
      return wholeStack.start()
    }
    await alone('not counted')
    await whole('not counted')
    for (let run = 1; run <= runs; run++) {
      const turn = `run ${run} of ${runs}`
      for (const system of orderOfTurn(run, ['alone', 'whole'] as const)) {
        if (system === 'alone') {
          aloneSeconds.push(toHundredths(await alone(turn)))
          continue
        }
        const { seconds, residentMb: resident } = await whole(turn)
        wholeSeconds.push(toHundredths(seconds))
        residentMb.push(resident)
      }
    }
    return { aloneSeconds, wholeSeconds, residentMb }
  } finally {
    for (const cleanUp of cleanUps.reverse()) await cleanUp()
  }
}

const toHundredths = (seconds: number): number => Math.round(seconds * 100) / 100
