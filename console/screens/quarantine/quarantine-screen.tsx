import { usePages } from '../../api/pages.ts'
import { DataTable } from '../../parts/data-table.tsx'
import { Heading } from '../../parts/heading.tsx'
import { LoadMore } from '../../parts/load-more.tsx'
import { Empty, ResourcePanel } from '../../parts/panel.tsx'
import { State } from '../../parts/state.tsx'
import { TableName, Text } from '../../parts/text.tsx'
import { Ago } from '../../parts/time.tsx'
import { place } from '../../routing/navigation.ts'
import { hrefOf } from '../../routing/place.ts'

/** The records that could not be applied, with why. */
export function QuarantineScreen() {
  const { table } = place.value.query
  const list = usePages('GET /quarantine', { query: { table }, everyMs: 3_000 })
  return (
    <>
      <Heading
        title="Quarantine"
        note={
          table === undefined ? undefined : (
            <span class="chip">
              of <Text value={table} /> <a href="/quarantine">all tables</a>
            </span>
          )
        }
      />
      <ResourcePanel title="Records" resource={list.resource} isFlush class="no-head">
        {() => (
          <>
            {list.items.length === 0 ? (
              <Empty>Nothing is in quarantine.</Empty>
            ) : (
              <DataTable
                label="Records in quarantine"
                rows={list.items}
                keyOf={(item) => item.place}
                columns={[
                  {
                    ...{ title: 'Record', isHeading: true },
                    cell: (item) => (
                      <a href={hrefOf(['quarantine', item.place])} data-row>
                        <Text value={item.place} />
                      </a>
                    ),
                  },
                  {
                    title: 'Table',
                    cell: (item) =>
                      item.table === null ? <span class="quiet">none</span> : <TableName name={item.table} />,
                  },
                  { title: 'Why', class: 'long', cell: ({ reason }) => <Text value={reason} /> },
                  {
                    title: 'State',
                    cell: ({ isRetried }) => (
                      <State tone={isRetried ? 'busy' : 'attention'}>
                        {isRetried ? 'waits for its retry' : 'in quarantine'}
                      </State>
                    ),
                  },
                  { title: 'Since', isNumber: true, cell: ({ keptAt }) => <Ago time={keptAt} /> },
                ]}
              />
            )}
            <LoadMore list={list} />
          </>
        )}
      </ResourcePanel>
    </>
  )
}
