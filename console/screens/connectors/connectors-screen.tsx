import type { ListedConnector } from '#core/console/connectors.ts'
import { useResource } from '../../api/resource.ts'
import { DataTable } from '../../parts/data-table.tsx'
import { Heading } from '../../parts/heading.tsx'
import { Empty, ResourcePanel } from '../../parts/panel.tsx'
import { NamedState } from '../../parts/state.tsx'
import { Text } from '../../parts/text.tsx'
import { hrefOf } from '../../routing/place.ts'

/** The connectors of Kafka Connect, and the way to a new one. */
export function ConnectorsScreen() {
  const resource = useResource('GET /connectors', { everyMs: 3_000 })
  return (
    <>
      <Heading title="Connectors">
        <a class="button main" href="/connectors/new">
          New connector
        </a>
      </Heading>
      <ResourcePanel title="Connectors" resource={resource} isFlush class="no-head">
        {({ connectors }) =>
          connectors.length === 0 ? (
            <Empty>Kafka Connect has no connector.</Empty>
          ) : (
            <DataTable label="Connectors" rows={connectors} keyOf={({ name }) => name} columns={columns} />
          )
        }
      </ResourcePanel>
    </>
  )
}

const columns = [
  {
    ...{ title: 'Connector', isHeading: true },
    cell: ({ name, isOwn }: ListedConnector) => (
      <>
        <a href={hrefOf(['connectors', name])} data-row>
          <Text value={name} />
        </a>{' '}
        {isOwn && <span class="chip">Tidemark’s own</span>}
      </>
    ),
  },
  { title: 'State', cell: ({ state }: ListedConnector) => <NamedState state={state} /> },
  { title: 'Tasks', cell: ({ tasks }: ListedConnector) => <Tasks tasks={tasks} /> },
  {
    title: 'Class',
    class: 'long',
    cell: ({ class: name }: ListedConnector) => (
      <code class="quiet">
        <Text value={name} />
      </code>
    ),
  },
]

const Tasks = ({ tasks }: Pick<ListedConnector, 'tasks'>) =>
  tasks.length === 0 ? (
    <span class="quiet">none</span>
  ) : (
    <span class="tasks">
      {tasks.map(({ id, state }) => (
        <span key={id}>
          <span class="quiet">{id}</span> <NamedState state={state} />
        </span>
      ))}
    </span>
  )
