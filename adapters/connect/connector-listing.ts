import type { ConnectorDetail, ListedConnector } from '#core/console/connectors.ts'
import type { RunState } from '#core/recovery/capture-facts.ts'
import { type ConnectCall, unlessAbsent } from './connect-api.ts'
import { maskConfiguration, maskText } from './connector-secrets.ts'
import { CONNECTOR } from './running-connector.ts'

/** The connectors of a worker, Tidemark's own and any other. A connector that does not exist is an outcome. */
export type Connectors = {
  /** By name. */
  list(): Promise<readonly ListedConnector[]>
  /** Undefined if there is none. */
  read(name: string): Promise<ConnectorDetail | undefined>
  /** What is wrong with a configuration, each a sentence; empty if Connect takes it. */
  validate(name: string, configuration: Readonly<Record<string, string>>): Promise<readonly string[]>
  /** Throws a ConnectRefusedError if there is one of that name. */
  create(name: string, configuration: Readonly<Record<string, string>>): Promise<void>
  /** Restarts the connector and all its tasks. */
  restart(name: string): Promise<void>
  /** Its tasks stay and do nothing until it is resumed. */
  pause(name: string): Promise<void>
  resume(name: string): Promise<void>
  delete(name: string): Promise<void>
}

type Part = { readonly state: RunState; readonly trace?: string }
/** A connector as `GET /connectors?expand=status&expand=info` has it. Just after it was created it has no status yet. */
type Expanded = {
  readonly info: { readonly name: string; readonly config: Readonly<Record<string, string | null>> }
  readonly status?: { readonly connector: Part; readonly tasks: readonly (Part & { readonly id: number })[] }
}

type Validation = {
  readonly configs?: readonly { readonly value: { readonly name: string; readonly errors: readonly string[] } }[]
}

const MOST_TRACE = { list: 1_000, detail: 20_000 }

/** Makes them of the calls of Connect. Each method throws ConnectUnreachableError or ConnectRefusedError. */
export function makeConnectors(call: ConnectCall): Connectors {
  const of = (name: string, rest = '') => `/connectors/${encodeURIComponent(name)}${rest}`
  const change = async (method: string, path: string, body?: unknown): Promise<void> => {
    await call(method, path, body)
  }
  const readAll = async () =>
    (await call('GET', '/connectors?expand=status&expand=info')) as Readonly<Record<string, Expanded>>
  return {
    list: async () =>
      Object.entries(await readAll())
        .map(([name, each]) => listed(name, each, MOST_TRACE.list))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
    read: async (name) => {
      const found = (await readAll())[name]
      if (found === undefined) return undefined
      const stored = await unlessAbsent<{ offsets?: readonly unknown[] }>(call('GET', of(name, '/offsets')))
      return {
        ...listed(name, found, MOST_TRACE.detail),
        configuration: maskConfiguration(textsOf(found.info.config)),
        trace: traceOf(found.status?.connector, MOST_TRACE.detail),
        offsets: (stored?.offsets ?? []).map((offset) => JSON.stringify(offset)),
      }
    },
    validate: async (name, configuration) => {
      const plugin = encodeURIComponent(configuration['connector.class'] ?? '')
      const path = `/connector-plugins/${plugin}/config/validate`
      const { configs = [] } = (await call('PUT', path, { ...configuration, name })) as Validation
      return configs.flatMap(({ value }) => value.errors.map((error) => maskText(`${value.name}: ${error}`)))
    },
    create: (name, configuration) => change('POST', '/connectors', { name, config: configuration }),
    restart: (name) => change('POST', of(name, '/restart?includeTasks=true&onlyFailed=false')),
    pause: (name) => change('PUT', of(name, '/pause')),
    resume: (name) => change('PUT', of(name, '/resume')),
    delete: (name) => change('DELETE', of(name)),
  }
}

function listed(name: string, { info, status }: Expanded, mostTrace: number): ListedConnector {
  return {
    name,
    isOwn: name === CONNECTOR,
    class: info.config['connector.class'] ?? '',
    state: status?.connector.state ?? 'UNASSIGNED',
    tasks: (status?.tasks ?? []).map((task) => ({ id: task.id, state: task.state, trace: traceOf(task, mostTrace) })),
  }
}

const traceOf = (part: Part | undefined, most: number): string | null =>
  part?.trace === undefined ? null : maskText(part.trace.slice(0, most))

const textsOf = (config: Expanded['info']['config']): Record<string, string> =>
  Object.fromEntries(Object.entries(config).map(([name, value]) => [name, value ?? '']))
