import type { Connectors } from '#adapters/connect/connector-listing.ts'
import type { ActionRequest } from '#core/console/actions.ts'
import type { ActionExecutor, ActionExecutors } from '../action-executor.ts'
import { RequestProblem } from '../request-problem.ts'
import type { UnreachableParts } from '../unreachable-parts.ts'
import { completed, requireCreatable, sentencesOfCreation } from './created-connector.ts'

/** What the actions of connectors need. */
export type ConnectorActionParts = {
  readonly connectors: Connectors
  /** Whether the brokers give Connect rights on Tidemark's own topics only, so that no other connector can work there. */
  readonly hasOwnTopicsOnly: boolean
  readonly parts: Pick<UnreachableParts, 'ask'>
}

type Name = 'connector.create' | 'connector.restart' | 'connector.pause' | 'connector.resume' | 'connector.delete'

/** The actions that change connectors. Each looks at the connector again when it is confirmed. */
export function connectorActions({ connectors, hasOwnTopicsOnly, parts }: ConnectorActionParts): ActionExecutors<Name> {
  const ask = <T>(work: () => Promise<T>) => parts.ask('connect', work)
  const onExisting = (
    will: (connector: { isOwn: boolean; configuration: Readonly<Record<string, string>> }) => readonly string[],
    change: (name: string) => Promise<void>,
    did: string,
  ): ActionExecutor => {
    const find = async ({ target }: ActionRequest) => {
      const found = await ask(() => connectors.read(target))
      if (found === undefined) throw new RequestProblem(404, `Connect has no connector ${target}`)
      return found
    }
    return {
      plan: async (request) => will(await find(request)),
      execute: async (request) => {
        await find(request)
        await ask(() => change(request.target))
        return `connector ${request.target} ${did}`
      },
    }
  }
  return {
    'connector.create': makeCreation(connectors, hasOwnTopicsOnly, ask),
    'connector.restart': onExisting(
      ({ isOwn }) => restarted(isOwn),
      connectors.restart,
      'was restarted, with its tasks',
    ),
    'connector.pause': onExisting(({ isOwn }) => paused(isOwn), connectors.pause, 'was paused'),
    'connector.resume': onExisting(
      () => ['The connector goes on where it was paused or stopped.'],
      connectors.resume,
      'was resumed',
    ),
    'connector.delete': onExisting(deleted, connectors.delete, 'was deleted'),
  }
}

function makeCreation(
  connectors: Connectors,
  hasOwnTopicsOnly: boolean,
  ask: <T>(work: () => Promise<T>) => Promise<T>,
): ActionExecutor {
  const check = async (request: ActionRequest): Promise<Readonly<Record<string, string>>> => {
    const { target } = request
    if (hasOwnTopicsOnly) throw new RequestProblem(409, OWN_TOPICS_ONLY, RUN_IT_ELSEWHERE)
    const configuration = completed(requireCreatable(request))
    if ((await ask(() => connectors.read(target))) !== undefined) {
      throw new RequestProblem(409, `Connect already has a connector ${target}`, 'Choose another name.')
    }
    const errors = await ask(() => connectors.validate(target, configuration))
    if (errors.length > 0)
      throw new RequestProblem(400, `Connect does not take this configuration: ${errors.join('; ')}`)
    return configuration
  }
  return {
    plan: async (request) => sentencesOfCreation(request.target, await check(request), request.configuration ?? {}),
    execute: async (request) => {
      const configuration = await check(request)
      await ask(() => connectors.create(request.target, configuration))
      return `connector ${request.target} was created and is starting`
    },
  }
}

const OWN_TOPICS_ONLY =
  "these brokers let Connect write and read Tidemark's own topics only, so that another connector can neither create its topics nor use them: nothing was created"
const RUN_IT_ELSEWHERE =
  'Run the connector in a Connect of its own, with a user that has rights on its topics. Where the brokers ask for no login, as with npm start, it can be created here.'

const restarted = (isOwn: boolean): readonly string[] => [
  'The connector and all its tasks are restarted, which takes some seconds.',
  isOwn
    ? 'Changes of the source come later by that time. None is lost, and those that come twice are applied once.'
    : 'It goes on where it was. Records that it sent last may come twice.',
]

const paused = (isOwn: boolean): readonly string[] =>
  isOwn
    ? [
        'No changes of the source are captured until the connector is resumed.',
        'The replication slot retains the WAL meanwhile. Beyond max_slot_wal_keep_size the source gives the slot up, and every table has to be read again.',
      ]
    : [
        'Its tasks send nothing until it is resumed.',
        'If it reads a replication slot, the slot retains the WAL meanwhile.',
      ]

function deleted({ isOwn, configuration }: { isOwn: boolean; configuration: Readonly<Record<string, string>> }) {
  const slot = configuration['slot.name'] ?? 'debezium'
  const isPostgres = /postgres/i.test(configuration['connector.class'] ?? '')
  return [
    ...(isOwn
      ? ['Capture of all tables ends, until npm run recover registers the connector again.']
      : ['Its tasks end, and Connect forgets its configuration. Topics and their records stay.']),
    ...(isPostgres
      ? [
          `The replication slot ${slot} stays in the source and retains its WAL: drop it there with select pg_drop_replication_slot('${slot.replaceAll("'", "''")}') if nothing reads it any more.`,
        ]
      : []),
    'Connect keeps its offsets: a new connector of the same name goes on where this one was.',
  ]
}
