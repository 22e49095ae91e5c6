import type { WindowsOfDefinition } from '#core/status/observations.ts'
import { useResource } from '../../api/resource.ts'
import { type Column, DataTable } from '../../parts/data-table.tsx'
import { Heading } from '../../parts/heading.tsx'
import { Empty, ResourcePanel } from '../../parts/panel.tsx'
import { NamedState } from '../../parts/state.tsx'
import { Text } from '../../parts/text.tsx'
import { hrefOf } from '../../routing/place.ts'
import { formatCount } from '../../text/numbers.ts'

/** The definitions of windows, with what is in each. */
export function WindowsScreen() {
  const resource = useResource('GET /windows', { everyMs: 5_000 })
  return (
    <>
      <Heading title="Windows" />
      <ResourcePanel title="Definitions" resource={resource} isFlush class="no-head">
        {({ definitions }) =>
          definitions.length === 0 ? (
            <Empty>No definition yet. A few lines of SQL in the folder windows group rows by event time.</Empty>
          ) : (
            <DataTable
              label="Definitions of windows"
              rows={definitions}
              keyOf={({ name, since }) => `${name} ${since}`}
              columns={columns}
            />
          )
        }
      </ResourcePanel>
    </>
  )
}

const count = (value: number | null) => (value === null ? <span class="quiet">–</span> : formatCount(value))

const columns: readonly Column<WindowsOfDefinition>[] = [
  {
    ...{ title: 'Definition', isHeading: true },
    cell: ({ name }) => (
      <a href={hrefOf(['windows', name])} data-row>
        <Text value={name} />
      </a>
    ),
  },
  {
    ...{ title: 'State', class: 'state-column' },
    cell: ({ state, reason, percent, publishing }) => (
      <>
        <NamedState state={state} />
        {percent !== null && <progress max={100} value={percent} aria-label={`${percent} % are read`} />}
        {(reason ?? publishing) !== null && (
          <span class="reason">
            <Text value={reason ?? publishing ?? ''} />
          </span>
        )}
      </>
    ),
  },
  { title: 'Open', isNumber: true, cell: ({ open }) => count(open) },
  { title: 'Final', isNumber: true, cell: ({ final }) => count(final) },
  { title: 'Revised', isNumber: true, cell: ({ revised }) => count(revised) },
  { title: 'Late rows', isNumber: true, cell: ({ late }) => count(late) },
  { title: 'Watermark', isNumber: true, cell: ({ watermark }) => watermark ?? <span class="quiet">none</span> },
]
