import { maskConfiguration } from '#adapters/connect/connector-secrets.ts'
import { CONNECTOR } from '#adapters/connect/running-connector.ts'
import type { ActionRequest } from '#core/console/actions.ts'
import { EPOCH_PREFIX } from '#core/fixed-names.ts'
import { RequestProblem } from '../request-problem.ts'

type Configuration = Readonly<Record<string, string>>

/**
 * The configuration of a connector that may be created. Throws a RequestProblem for one that has no class, or that would
 * take what Tidemark's own connector has.
 */
export function requireCreatable({ target, configuration = {} }: ActionRequest): Configuration {
  if (!/^[\w.-]{1,200}$/.test(target)) {
    throw new RequestProblem(400, 'the name of a connector has letters, digits, dots, hyphens and underscores only')
  }
  if (target === CONNECTOR) {
    throw new RequestProblem(
      409,
      `${CONNECTOR} is the name of Tidemark's own connector`,
      'npm run recover registers it.',
    )
  }
  if (!configuration['connector.class']) throw new RequestProblem(400, 'the configuration has no connector.class')
  if (configuration['name'] !== undefined && configuration['name'] !== target) {
    throw new RequestProblem(400, `the configuration is that of a connector ${configuration['name']}`)
  }
  // Two connectors cannot read one slot, and two with one prefix would share topics and offsets.
  for (const name of ['slot.name', 'topic.prefix']) {
    if (configuration[name]?.startsWith(EPOCH_PREFIX)) {
      throw new RequestProblem(
        409,
        `${name} ${configuration[name]} is of Tidemark's own connector`,
        'Choose another one.',
      )
    }
  }
  return configuration
}

/**
 * The configuration with settings without which it would not work here: the brokers create no topics by themselves, so
 * Connect has to, with their own defaults.
 */
export function completed(configuration: Configuration): Configuration {
  return {
    ...(isSource(configuration)
      ? { 'topic.creation.default.replication.factor': '-1', 'topic.creation.default.partitions': '-1' }
      : {}),
    ...configuration,
  }
}

/** Sink connectors read `topics`, and would not know settings for topics that are created. */
const isSource = (configuration: Configuration): boolean =>
  configuration['topics'] === undefined && configuration['topics.regex'] === undefined

/** What will happen when the connector is created. `given` is the configuration before it was completed. */
export function sentencesOfCreation(name: string, configuration: Configuration, given: Configuration): string[] {
  const added = Object.keys(configuration).filter((each) => given[each] === undefined)
  return [
    `Connect has checked the configuration, and creates the connector ${name} of the class ${configuration['connector.class']}, which starts at once.`,
    ...(added.length === 0 ? [] : [`The configuration also gets ${added.join(', ')}, so that its topics are created.`]),
    ...(isDebeziumPostgres(configuration) ? ofPostgres(configuration) : []),
    ...(hasWrittenSecret(configuration)
      ? [
          'Its password is stored as it is in the topic in which Connect keeps configurations. A reference to a variable of the worker is not.',
        ]
      : []),
  ]
}

const isDebeziumPostgres = (configuration: Configuration): boolean =>
  /PostgresConnector$/.test(configuration['connector.class'] ?? '')

function ofPostgres(configuration: Configuration): string[] {
  const at = `${configuration['database.dbname'] ?? 'the database'} at ${configuration['database.hostname'] ?? 'its host'}`
  const slot = configuration['slot.name'] ?? 'debezium'
  const tables = configuration['table.include.list']
  const mode = configuration['snapshot.mode'] ?? 'initial'
  return [
    `It makes the replication slot ${slot} in ${at}, which retains the WAL there whenever the connector does not read.`,
    ...(configuration['publication.autocreate.mode'] === 'disabled'
      ? []
      : [`It makes the publication ${configuration['publication.name'] ?? 'dbz_publication'} there if it is missing.`]),
    ...(/^(initial|always|initial_only|when_needed)$/.test(mode)
      ? [`It first reads all rows of ${tables === undefined ? 'every table' : tables}.`]
      : []),
    `Changes go to topics whose names begin with ${configuration['topic.prefix']}. Tidemark does not apply them to the target or archive them.`,
  ]
}

/** Whether masking hides a value that the user has written out. */
function hasWrittenSecret(configuration: Configuration): boolean {
  const masked = maskConfiguration(configuration)
  return Object.keys(configuration).some((name) => masked[name] !== configuration[name])
}
