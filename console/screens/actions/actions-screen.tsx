import type { RecordedAction } from '#core/console/actions.ts'
import { usePages } from '../../api/pages.ts'
import { actionTitles } from '../../parts/actions.tsx'
import { type Column, DataTable } from '../../parts/data-table.tsx'
import { Heading } from '../../parts/heading.tsx'
import { LoadMore } from '../../parts/load-more.tsx'
import { Empty, ResourcePanel } from '../../parts/panel.tsx'
import { NamedState, State } from '../../parts/state.tsx'
import { Text } from '../../parts/text.tsx'
import { At } from '../../parts/time.tsx'

/** What was done by consoles, newest first. */
export function ActionsScreen() {
  const list = usePages('GET /actions', { everyMs: 3_000 })
  return (
    <>
      <Heading title="Actions log" />
      <ResourcePanel title="Actions" resource={list.resource} isFlush class="no-head">
        {() => (
          <>
            {list.items.length === 0 ? (
              <Empty>No action was executed yet.</Empty>
            ) : (
              <DataTable label="Actions" rows={list.items} keyOf={({ id }) => id} columns={columns} />
            )}
            <LoadMore list={list} />
          </>
        )}
      </ResourcePanel>
    </>
  )
}

const columns: readonly Column<RecordedAction>[] = [
  {
    title: 'Action',
    isHeading: true,
    cell: ({ action, target }) => (
      <>
        <b>{actionTitles[action]}</b> <Text value={target} />
      </>
    ),
  },
  { title: 'At', cell: ({ at }) => <At time={at} /> },
  { title: 'Who', cell: ({ who }) => <Text value={who} /> },
  {
    title: 'Reason',
    class: 'long',
    cell: ({ reason }) => (reason === null ? <span class="quiet">–</span> : <Text value={reason} />),
  },
  {
    title: 'Outcome',
    cell: ({ outcome }) =>
      outcome === 'running' ? <State tone="busy">under way</State> : <NamedState state={outcome} />,
  },
  {
    title: 'Result',
    class: 'long',
    cell: ({ result }) => (result === null ? <span class="quiet">–</span> : <Text value={result} />),
  },
]
