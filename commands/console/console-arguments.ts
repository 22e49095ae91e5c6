import { parseArgs } from 'node:util'
import { readConsoleSettings } from '#localstack/settings.ts'
import { UsageError } from '#terminal/usage-error.ts'

/** What the console shows: the stack that runs here, databases and servers at URLs, or a console on AWS. */
export type ConsoleTarget =
  | { readonly kind: 'local' }
  | {
      readonly kind: 'urls'
      readonly target: string
      readonly source: string | undefined
      readonly connect: string | undefined
      /** `host:port,…`, in plain text. */
      readonly kafka: string | undefined
    }
  | { readonly kind: 'api'; readonly url: string }

/** The arguments of `npm run console`. */
export type ConsoleArguments = {
  readonly help: boolean
  readonly json: boolean
  readonly port: number
  readonly allowsActions: boolean
  readonly of: ConsoleTarget
}

const options = {
  source: { type: 'string' },
  kafka: { type: 'string' },
  api: { type: 'string' },
  port: { type: 'string' },
  'allow-actions': { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

/** Reads the arguments and the `TIDEMARK_CONSOLE_…` variables. Throws a UsageError that names the one that is wrong. */
export function readConsoleArguments(argv: string[], environment: NodeJS.ProcessEnv): ConsoleArguments {
  const { values, positionals } = parseArgs({ args: argv, options, allowPositionals: true })
  const { help, json } = values
  const usual = readConsoleSettings(environment)
  const of = targetOf(positionals, values)
  const allowsActions = values['allow-actions'] || usual.allowsActions
  if (values['allow-actions'] && of.kind !== 'local')
    throw new UsageError(
      '--allow-actions is for the stack that runs here: on AWS the stage decides it, by actions in cdk/stages.ts',
    )
  return { help, json, port: values.port === undefined ? usual.port : portOf(values.port), allowsActions, of }
}

type Values = { readonly source?: string; readonly kafka?: string; readonly api?: string }

function targetOf([target, connect, ...rest]: string[], { source, kafka, api }: Values): ConsoleTarget {
  if (rest.length > 0)
    throw new UsageError(`give the URL of the target and that of Connect; left over: ${rest.join(' ')}`)
  if (api !== undefined) {
    if (target !== undefined || source !== undefined || kafka !== undefined)
      throw new UsageError('--api is the whole console of a stage: give no other URL beside it')
    return { kind: 'api', url: urlOf(api, /^https:$/, '--api', 'https://….execute-api.<region>.amazonaws.com') }
  }
  if (target === undefined) {
    if (source !== undefined || kafka !== undefined)
      throw new UsageError('--source and --kafka belong to the URL of a target, and none is given')
    return { kind: 'local' }
  }
  const database = 'postgres://user@host:5432/database'
  if (kafka !== undefined && !/^[^,:\s]+:\d{1,5}(,[^,:\s]+:\d{1,5})*$/.test(kafka))
    throw new UsageError(`--kafka ${kafka} is not a list of brokers; write host:9092,another:9092`)
  return {
    kind: 'urls',
    target: urlOf(target, /^postgres(ql)?:$/, 'the first argument', database),
    source: source && urlOf(source, /^postgres(ql)?:$/, '--source', database),
    connect: connect && urlOf(connect, /^https?:$/, 'the second argument', 'http://host:8083'),
    kafka,
  }
}

/** The message has no URL that was given, because a password may be in it. */
function urlOf(text: string, protocol: RegExp, what: string, form: string): string {
  if (URL.canParse(text) && protocol.test(new URL(text).protocol)) return text
  throw new UsageError(`${what} is not a URL of the form ${form}`)
}

function portOf(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port >= 1024 && port <= 65_535) return port
  throw new UsageError(`--port ${text} is not a port; use a number from 1024 to 65535`)
}
