import { useState } from 'preact/hooks'
import type { Equality } from '#core/console/equality.ts'
import { AskError } from '../../api/ask-error.ts'
import { useResource } from '../../api/resource.ts'
import { ask } from '../../api/server.ts'
import { ActionButton } from '../../parts/actions.tsx'
import { Heading } from '../../parts/heading.tsx'
import { Empty, Loaded, Panel, sentence } from '../../parts/panel.tsx'
import { NamedState, State } from '../../parts/state.tsx'
import { TableName, Text } from '../../parts/text.tsx'
import { Ago, At } from '../../parts/time.tsx'
import { hrefOf } from '../../routing/place.ts'
import { formatCount, formatQuantity } from '../../text/numbers.ts'
import { DifferingRows } from './differing-rows.tsx'

/** Compares source and target, row by row, while changes flow. */
export function EqualityScreen() {
  const resource = useResource('GET /equality', { everyMs: 1_500 })
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  const [problem, setProblem] = useState<AskError | null>(null)
  const equality = resource.value?.equality ?? null
  const isRunning = equality?.state === 'waiting' || equality?.state === 'comparing'
  const compare = async () => {
    setProblem(null)
    try {
      await ask('POST /equality', { body: { tables: chosen.size === 0 ? null : [...chosen] } })
      setChosen(new Set())
    } catch (error) {
      if (error instanceof AskError) setProblem(error)
    }
    resource.reload()
  }
  return (
    <>
      <Heading
        title="Equal?"
        note={<span class="quiet">Every row of source and target, compared while changes flow</span>}
      >
        <button type="button" class="button main" disabled={isRunning} onClick={() => void compare()}>
          {isRunning
            ? 'Comparing …'
            : chosen.size === 0
              ? 'Compare all tables'
              : `Compare ${formatQuantity(chosen.size, 'table')}`}
        </button>
      </Heading>
      {problem !== null && (
        <div class="note bad" role="alert">
          {sentence(problem.message)} {problem.hint !== null && sentence(problem.hint)}
        </div>
      )}
      <Loaded resource={resource}>
        {() =>
          equality === null ? (
            <Panel title="Not compared yet" class="no-head">
              <Empty>Nothing was compared since the console was started.</Empty>
            </Panel>
          ) : (
            <Comparison equality={equality} chosen={chosen} onChosen={setChosen} />
          )
        }
      </Loaded>
    </>
  )
}

type ComparisonProps = {
  readonly equality: Equality
  readonly chosen: ReadonlySet<string>
  readonly onChosen: (chosen: ReadonlySet<string>) => void
}

function Comparison({ equality: { state, beganAt, asOf, why, tables }, chosen, onChosen }: ComparisonProps) {
  const rank = { different: 0, 'not compared': 1, waiting: 2, equal: 3 } as const
  const sorted = tables.toSorted((a, b) => rank[a.state] - rank[b.state] || a.table.localeCompare(b.table))
  const different = tables.filter((table) => table.state === 'different').length
  return (
    <div class="stack">
      <p class="all-well">
        <Whole state={state} different={different} />{' '}
        {asOf === null ? (
          <>
            It began <Ago time={beganAt} /> and waits until everything that is committed so far is visible.
          </>
        ) : (
          <>
            Everything that was committed before <At time={asOf} digits={3} /> is compared.
          </>
        )}{' '}
        {why !== null && <Text value={sentence(why)} />}
      </p>
      <Panel title={formatQuantity(tables.length, 'table')} isFlush>
        {tables.length === 0 && <Empty>There is no table to compare yet.</Empty>}
        <ul class="equal-list">
          {sorted.map((table) => (
            <EqualTable
              key={table.table}
              table={table}
              isChosen={chosen.has(table.table)}
              onToggle={() => {
                const next = new Set(chosen)
                if (!next.delete(table.table)) next.add(table.table)
                onChosen(next)
              }}
            />
          ))}
        </ul>
      </Panel>
    </div>
  )
}

function Whole({ state, different }: { readonly state: Equality['state']; readonly different: number }) {
  if (state === 'failed') return <State tone="bad">The comparison failed.</State>
  if (state !== 'done') return <State tone="busy">{state === 'waiting' ? 'Waiting.' : 'Comparing.'}</State>
  if (different > 0)
    return (
      <State tone="bad">
        {formatQuantity(different, 'table')} {different === 1 ? 'differs' : 'differ'}.
      </State>
    )
  return <State tone="good">All compared tables are equal.</State>
}

type EqualTableProps = {
  readonly table: Equality['tables'][number]
  readonly isChosen: boolean
  readonly onToggle: () => void
}

function EqualTable({ table: { table, state, asOf, rows, why, differences }, isChosen, onToggle }: EqualTableProps) {
  return (
    <li class={`equal-table ${state === 'different' ? 'different' : ''}`}>
      <div class="equal-head">
        <input type="checkbox" aria-label={`Compare ${table}`} checked={isChosen} onChange={onToggle} />
        <a href={hrefOf(['tables', table])} data-row>
          <TableName name={table} />
        </a>
        <NamedState state={state} />
        <span class="quiet">
          {asOf !== null && state !== 'not compared' && (
            <>
              {state === 'equal' ? 'equal as of ' : 'as of '}
              <At time={asOf} />
            </>
          )}
          {rows !== null && state !== 'not compared' && `, ${formatCount(rows)} rows`}
        </span>
        {state === 'different' && <ActionButton action={{ name: 'table.resync', target: table }} />}
      </div>
      {why !== null && (
        <p class="quiet">
          <Text value={sentence(why)} />
        </p>
      )}
      {differences.length > 0 && <DifferingRows differences={differences} />}
    </li>
  )
}
