import { parseArgs } from 'node:util'
import { messageWithHint } from '#terminal/error-message.ts'
import { exitCodeOf, UsageError } from '#terminal/usage-error.ts'
import { applyDefinitions } from './windows/apply-definitions.ts'
import { checkFiles } from './windows/check-files.ts'
import { compareDefinitions } from './windows/compare-definitions.ts'
import { explain } from './windows/explain.ts'
import { printFlinkJob } from './windows/flink.ts'
import { listDefinitions } from './windows/list-definitions.ts'
import { rebuild } from './windows/rebuild.ts'
import type { WindowsArguments } from './windows/windows-arguments.ts'

const help = `npm run windows [-- list] [--json]
npm run windows -- explain <name> [<window>] [<key>=<value> …] [--limit N] [--json]
npm run windows -- check [<file> …] [--json]
npm run windows -- apply [--wait] [--json]
npm run windows -- rebuild <name> [--wait] [--json]
npm run windows -- compare [<name>] [--timeout seconds] [--json]
npm run windows -- flink <name> [--brokers host:port,…] [--iam] [--json]

The definitions of windows/, each of which groups the rows of a table by event time. docs/windows.md says how one is written.
  list       the definitions of the target: state, windows by state, late rows, watermark
  explain    which rows are in a window and why. <window> is a moment in it, such as 2025-12-01T10:00 (the newest window);
             <key>=<value> chooses a group, such as zone=74; zone= is the group without a zone
  check      reads the files and says what is wrong with file, line and reason; where a stack runs, its target checks
             columns, types and functions too. Nothing is changed
  apply      makes the definitions of the running stack those of windows/, without deploying a function: all or nothing. A
             changed one is filled from the rows beside what is shown, and shown once it is complete; one whose file is
             gone is dropped. A topic that no definition has published to needs a deployment where brokers are secure
  rebuild    computes a definition again from the rows of the target, beside what is shown
  compare    compares every group with batch SQL over the rows of the target and over those of the source, while changes
             may go on flowing
  flink      prints the definition as a job in Flink SQL, or why there is none. docs/windows-flink.md says what differs
  --brokers  the brokers of the job (those of the running stack)
  --iam      the job logs in to MSK by IAM
  --limit    rows at most (50)
  --wait     waits until the definitions are shown
  --timeout  gives up waiting after so many seconds (600)
  --json     prints JSON
  --source, --target   other databases than those of the running stack, as their administrators
Exits with 0 when it was shown or done and nothing differs, 1 otherwise, and 2 when an argument or a definition is wrong.`

const options = {
  limit: { type: 'string', default: '50' },
  wait: { type: 'boolean', default: false },
  timeout: { type: 'string', default: '600' },
  brokers: { type: 'string' },
  iam: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  source: { type: 'string' },
  target: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

const verbs: Readonly<Record<string, (given: WindowsArguments) => Promise<number>>> = {
  list: listDefinitions,
  explain,
  check: checkFiles,
  apply: applyDefinitions,
  rebuild,
  compare: compareDefinitions,
  flink: printFlinkJob,
}

/** Returns 0 when it was shown or done and nothing differs, 1 when not, and 2 when an argument or a definition is wrong. */
export async function main(argv: string[]): Promise<number> {
  try {
    const { values, positionals } = parseArgs({ args: argv, options, allowPositionals: true })
    if (values.help) {
      console.log(help)
      return 0
    }
    const [verb = 'list', ...words] = positionals
    const work = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined
    if (work === undefined) throw new UsageError(`Say what to do: ${Object.keys(verbs).join(', ')}.\n\n${help}`)
    return await work({
      words,
      limit: wholeNumber('limit', values.limit),
      waits: values.wait,
      waitMs: wholeNumber('timeout', values.timeout) * 1_000,
      json: values.json,
      brokers: values.brokers,
      iam: values.iam,
      source: values.source,
      target: values.target,
    })
  } catch (error) {
    console.error(messageWithHint(error))
    return exitCodeOf(error)
  }
}

function wholeNumber(option: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new UsageError(`--${option} ${text} is not a whole number from 1`)
  return Number(text)
}
