import type { ListedTable } from '#core/console/tables.ts'
import { usePages } from '../../api/pages.ts'
import { type Column, DataTable } from '../../parts/data-table.tsx'
import { Heading } from '../../parts/heading.tsx'
import { LoadMore } from '../../parts/load-more.tsx'
import { Empty, ResourcePanel } from '../../parts/panel.tsx'
import { SearchField } from '../../parts/search-field.tsx'
import { NamedState } from '../../parts/state.tsx'
import { TableName, Text } from '../../parts/text.tsx'
import { changeQuery, place } from '../../routing/navigation.ts'
import { hrefOf } from '../../routing/place.ts'
import { formatCount } from '../../text/numbers.ts'
import { formatAgo } from '../../text/times.ts'

const states: readonly ListedTable['state'][] = [
  'captured',
  'snapshotting',
  'pending',
  'awaiting writers',
  'stopped',
  'not captured',
]

/** All tables, with what source and target have of each. */
export function TablesScreen() {
  const { search, state } = place.value.query
  const list = usePages('GET /tables', { query: { search, state }, everyMs: 3_000 })
  const isFiltered = search !== undefined || state !== undefined
  return (
    <>
      <Heading title="Tables">
        <SearchField name="search" label="Search tables" />
        <select
          aria-label="State"
          value={state ?? ''}
          onChange={(event) => changeQuery({ state: event.currentTarget.value })}
        >
          <option value="">any state</option>
          {states.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      </Heading>
      <ResourcePanel title="Tables" resource={list.resource} isFlush class="no-head">
        {() => (
          <>
            {list.items.length === 0 ? (
              <Empty>
                {isFiltered
                  ? 'No table matches.'
                  : 'There are no tables yet. Create one in the source, and it appears here.'}
              </Empty>
            ) : (
              <DataTable label="Tables" columns={columns} rows={list.items} keyOf={({ name }) => name} />
            )}
            <LoadMore list={list} />
          </>
        )}
      </ResourcePanel>
    </>
  )
}

const columns: readonly Column<ListedTable>[] = [
  {
    ...{ title: 'Table', isHeading: true, class: 'name-column' },
    cell: ({ name }) => (
      <a href={hrefOf(['tables', name])} data-row>
        <TableName name={name} />
      </a>
    ),
  },
  {
    title: 'State',
    class: 'state-column',
    cell: ({ state, reason }) => (
      <>
        <NamedState state={state} />
        {reason !== null && (
          <span class="reason" title={reason}>
            <Text value={reason} />
          </span>
        )}
      </>
    ),
  },
  { title: 'Source rows', isNumber: true, cell: ({ source }) => rowsOf(source) },
  {
    title: 'Target rows',
    isNumber: true,
    cell: ({ source, target }) => <TargetRows source={source} target={target} />,
  },
  { title: 'Changes, 1 day', isNumber: true, cell: ({ changes }) => <DayChanges changes={changes} /> },
  {
    ...{ title: 'Last change', isNumber: true },
    cell: ({ changedSecondsAgo }) => (changedSecondsAgo === null ? '–' : formatAgo(changedSecondsAgo * 1_000)),
  },
  { title: 'Quarantined', isNumber: true, cell: (table) => <Quarantined table={table} /> },
]

/** `~` marks an estimate. */
export const rowsOf = (count: { readonly rows: number; readonly isEstimate: boolean } | null): string =>
  count === null ? '–' : `${count.isEstimate ? '~' : ''}${formatCount(count.rows)}`

/** The rows of the target, and how many of the source's it has while it is loaded. */
export function TargetRows({ source, target }: Pick<ListedTable, 'source' | 'target'>) {
  const part = target === null || source.rows === 0 ? 1 : target.rows / source.rows
  return (
    <>
      {rowsOf(target)}
      {part < 0.995 && (
        <progress max={1} value={part} aria-label={`${Math.floor(part * 100)} % of the source's rows`} />
      )}
    </>
  )
}

/** Inserts, updates and deletes of the last day. */
export function DayChanges({ changes }: Pick<ListedTable, 'changes'>) {
  if (changes === null) return <span class="quiet">no history</span>
  return (
    <span class="day-changes">
      <span class="op-insert" title="inserts">
        +{formatCount(changes.inserts)}
      </span>{' '}
      <span class="op-update" title="updates">
        ~{formatCount(changes.updates)}
      </span>{' '}
      <span class="op-delete" title="deletes">
        −{formatCount(changes.deletes)}
      </span>
    </span>
  )
}

const Quarantined = ({ table: { name, quarantined } }: { readonly table: ListedTable }) =>
  quarantined === 0 ? (
    <span class="quiet">0</span>
  ) : (
    <a class="bad-text" href={hrefOf(['quarantine'], { table: name })}>
      {formatCount(quarantined)}
    </a>
  )
