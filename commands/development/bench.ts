import type { BenchCommand, BenchResult, ResultTable } from '#bench/bench-command.ts'
import { commands } from '#bench/commands.ts'
import { untilInterrupted } from '#bench/interruption.ts'
import { describeMachine } from '#bench/machine/machine.ts'
import { writeReport } from '#bench/report.ts'
import { saveResult, splitArguments } from '#bench/results.ts'
import { alignColumns } from '#terminal/aligned-columns.ts'
import { makeProgressLine } from '#terminal/progress-line.ts'
import { formatDuration } from '#terminal/quantities.ts'
import { UsageError } from '#terminal/usage-error.ts'

const help = `npm run bench -- drain|live|growth|archive|windows|console|start|cold|limit [--peers] [--save] [--json]
npm run bench -- report

Each has --help.
  drain    a topic that was filled beforehand, with history and without; beside the peers
  live     from commit to visible at a steady rate, seen from outside; beside the peers
  growth   what a change costs in a larger target
  archive  records a second into the archive, its commits, and how far it lags; beside a peer
  windows  what windows cost beside apply, and how much later they are visible
  console  what the console costs the pipeline, how soon it shows something, its memory, and the time of its routes
  start    from npm start to the first change visible, beside Kafka and Connect alone
  cold     the first invocation of the apply function, and its memory
  limit    what statements and decoding reach by themselves
  report   rewrites bench/README.md from the results in bench/results

  --peers  of drain, live and archive: sets the peers up and measures them in the same run, in turns
  --save   keeps the result in bench/results and rewrites bench/README.md
  --json   prints the result as JSON`

/**
 * Returns 0 when everything was measured, and 130 when it was interrupted. Then everything that was started has
 * stopped, and its data is removed.
 */
export async function main(argv: string[]): Promise<number> {
  const [name, ...rest] = argv
  if (name === undefined || name === '--help') {
    console.log(help)
    return 0
  }
  if (name === 'report') {
    console.log(await writeReport(commands))
    return 0
  }
  const command = commands.find((each) => each.name === name)
  if (command === undefined) throw new UsageError(`There is no measurement '${name}'.\n\n${help}`)
  if (rest.includes('--help')) {
    console.log(command.help)
    return 0
  }
  return untilInterrupted(() => report(command, rest))
}

async function report(command: BenchCommand, argv: string[]): Promise<number> {
  const { isSaved, isJson, given } = splitArguments(argv)
  const { file, result } = await measure(command, given)
  if (isSaved) {
    await saveResult(file, result)
    await writeReport(commands)
  }
  const tables = command.describe(result.measures as never)
  console.log(isJson ? JSON.stringify(result, null, 2) : tables.map(describeTable).join('\n\n'))
  return 0
}

async function measure(command: BenchCommand, given: string[]): Promise<{ file: string; result: BenchResult }> {
  const measuredAt = new Date().toISOString()
  const machine = describeMachine()
  const progress = makeSteadyProgress()
  const { file, configuration, measures } = await command.run(given, progress.show).finally(progress.stop)
  return { file, result: { command: command.name, arguments: given, measuredAt, machine, configuration, measures } }
}

const SAID_EVERY_MS = 1_000

/** Repeats what is being done with the time since it began, because a step may take minutes. */
function makeSteadyProgress(): { show: (what: string) => void; stop: () => void } {
  const line = makeProgressLine()
  let [step, since] = ['', performance.now()]
  const say = (): void => line.show(`${step}, ${formatDuration(performance.now() - since)}`)
  const timer = setInterval(say, SAID_EVERY_MS)
  return {
    show: (what) => {
      if (what !== step) [step, since] = [what, performance.now()]
      say()
    },
    stop: () => {
      clearInterval(timer)
      line.clear()
    },
  }
}

function describeTable({ title, header, rows, notes = [] }: ResultTable): string {
  const right = header.map((_, column) => column).slice(1)
  return [title, '', ...alignColumns([header, ...rows], right), '', ...notes].join('\n')
}
