import type { TableCure, TableDetail } from '#core/console/tables.ts'
import { useResource } from '../../api/resource.ts'
import { ActionButton } from '../../parts/actions.tsx'
import { Snippet } from '../../parts/copy.tsx'
import { DataTable } from '../../parts/data-table.tsx'
import { Heading } from '../../parts/heading.tsx'
import { Empty, Loaded, Panel, sentence } from '../../parts/panel.tsx'
import { NamedState, State } from '../../parts/state.tsx'
import { TableName, Text } from '../../parts/text.tsx'
import { hrefOf } from '../../routing/place.ts'
import { formatCount } from '../../text/numbers.ts'
import { formatAgo } from '../../text/times.ts'
import { changesOfTable } from '../changes/change-links.ts'
import { Figure } from '../overview/figures.tsx'
import { ContractTimeline } from './contract-timeline.tsx'
import { DayChanges, rowsOf, TargetRows } from './tables-screen.tsx'

/** One table: how it is, what resolves what is wrong, and the versions of its contract. */
export function TableScreen({ table }: { readonly table: string }) {
  const resource = useResource('GET /tables/:table', { params: { table }, everyMs: 5_000 })
  const state = resource.value?.table.state
  return (
    <>
      <Heading
        title={<TableName name={table} />}
        above={{ href: '/tables', name: 'Tables' }}
        note={state === undefined ? undefined : <NamedState state={state} />}
      >
        <a class="button" href={changesOfTable(table)}>
          Changes
        </a>
        <ActionButton action={{ name: 'table.resync', target: table }} />
      </Heading>
      <Loaded resource={resource}>{(detail) => <Detail detail={detail} />}</Loaded>
    </>
  )
}

function Detail({ detail: { table, contracts, history, indexes, cures } }: { readonly detail: TableDetail }) {
  return (
    <div class="stack">
      {cures.map((cure) => (
        <Cure key={`${cure.reason} ${cure.does}`} cure={cure} />
      ))}
      <dl class="figures">
        <Figure
          label="Source rows"
          value={rowsOf(table.source)}
          note={table.source.isEstimate ? 'an estimate' : 'counted'}
        />
        <Figure label="Target rows" value={<TargetRows source={table.source} target={table.target} />} />
        <Figure label="Changes of the last day" value={<DayChanges changes={table.changes} />} />
        <Figure
          label="Last change"
          value={table.changedSecondsAgo === null ? '–' : formatAgo(table.changedSecondsAgo * 1_000)}
          note="seen in the target"
        />
        <Figure label="History" value={history.isKept ? (history.retention ?? 'for ever') : 'not kept'} />
        <Figure
          label="Quarantined"
          href={hrefOf(['quarantine'], { table: table.name })}
          value={formatCount(table.quarantined)}
        />
      </dl>
      <Panel title="Contract" beside={<span class="quiet">versions of its schema, newest first</span>} isFlush>
        {contracts.length === 0 ? (
          <Empty>The source has not written a contract of this table yet.</Empty>
        ) : (
          <ContractTimeline contracts={contracts} />
        )}
      </Panel>
      <Panel title="Declared indexes" isFlush>
        {indexes.length === 0 ? (
          <Empty>None. npm run index declares one, which every later generation of the rows has as well.</Empty>
        ) : (
          <DataTable
            label="Declared indexes"
            rows={indexes}
            keyOf={({ name }) => name}
            columns={[
              { title: 'Name', isHeading: true, cell: ({ name }) => <Text value={name} /> },
              {
                title: 'Definition',
                class: 'long',
                cell: ({ definition }) => (
                  <code>
                    <Text value={definition} />
                  </code>
                ),
              },
              {
                title: 'State',
                cell: ({ problem }) =>
                  problem === null ? (
                    <State tone="good">made</State>
                  ) : (
                    <State tone="bad">
                      <Text value={problem} />
                    </State>
                  ),
              },
            ]}
          />
        )}
      </Panel>
    </div>
  )
}

function Cure({ cure: { reason, does, command, sql, action } }: { readonly cure: TableCure }) {
  return (
    <article class="problem failing">
      <header>
        <State tone="bad">needs a decision</State>
        <h2>
          <Text value={sentence(reason)} />
        </h2>
      </header>
      <p class="quiet">
        <Text value={sentence(does)} />
      </p>
      <div class="cures">
        {sql !== null && <Snippet text={sql} what="SQL" />}
        {command !== null && <Snippet text={command} what="command" />}
        {action !== null && <ActionButton action={action} isMain />}
      </div>
    </article>
  )
}
