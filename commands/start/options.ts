import { parseArgs } from 'node:util'
import { type ConsoleSettings, readBrokerCount, readConsoleSettings, type Settings } from '#localstack/settings.ts'
import { UsageError } from '#terminal/usage-error.ts'

/** The arguments of `npm start`. */
export type StartOptions = {
  help: boolean
  /** Whether it feeds, compares and stops, instead of running until Ctrl-C. */
  once: boolean
  /** Whether taxi trips are fed. */
  feeds: boolean
  json: boolean
  rows: number
  /** Infinity for as fast as the source takes them. */
  perSecond: number
  /** The console that is served beside the stack; undefined for none. */
  console: ConsoleSettings | undefined
  /** Settings that override the `TIDEMARK_…` variables. */
  cluster: Partial<Pick<Settings, 'brokers' | 'secure'>>
}

const wholeFile = 64_215
const usualRate = 100

/** Reads the arguments and RECORD_RATE. Throws an Error that names the one that is malformed. */
export function readStartOptions(argv: string[], environment: NodeJS.ProcessEnv): StartOptions {
  const { values } = parseArgs({
    args: argv,
    options: {
      help: { type: 'boolean', default: false },
      once: { type: 'boolean', default: false },
      'no-feed': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      rows: { type: 'string', default: String(wholeFile) },
      rate: { type: 'string' },
      brokers: { type: 'string' },
      secure: { type: 'boolean' },
      'no-console': { type: 'boolean', default: false },
      'allow-actions': { type: 'boolean', default: false },
    },
  })
  const { help, once, json } = values
  if (once && values['no-feed']) throw new UsageError('--once feeds trips, so it cannot be combined with --no-feed')
  const usual = once ? 0 : usualRate
  const rate =
    values.rate === undefined
      ? wholeNumber('RECORD_RATE', environment['RECORD_RATE'] || String(usual))
      : wholeNumber('--rate', values.rate)
  const rows = wholeNumber('--rows', values.rows)
  if (rows === 0) throw new UsageError('--rows 0 feeds nothing: use --no-feed')
  const cluster = {
    ...(values.brokers !== undefined && { brokers: readBrokerCount('--brokers', values.brokers) }),
    ...(values.secure && { secure: true }),
  }
  const console = readConsole(once || values['no-console'], values['allow-actions'], environment)
  return { help, once, feeds: !values['no-feed'], json, rows, perSecond: rate || Infinity, console, cluster }
}

function readConsole(isOff: boolean, allowsActions: boolean, environment: NodeJS.ProcessEnv) {
  if (isOff && allowsActions) throw new UsageError('--allow-actions is for the console, and this run has none')
  const settings = readConsoleSettings(environment)
  return isOff ? undefined : { ...settings, allowsActions: allowsActions || settings.allowsActions }
}

function wholeNumber(name: string, text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new UsageError(`${name} ${text} is not a whole number from 0`)
}
