import { useState } from 'preact/hooks'
import type { Inspection } from '#core/console/connectors.ts'
import { VirtualList } from '../../lists/virtual-list.tsx'
import { Empty, Panel } from '../../parts/panel.tsx'
import { Text } from '../../parts/text.tsx'
import { formatQuantity } from '../../text/numbers.ts'
import { type Choice, matchingTables } from './wizard-configuration.ts'

type Table = Inspection['schemas'][number]['tables'][number]

type TablesStepProps = {
  readonly inspection: Inspection
  readonly choice: Choice
  readonly onChoice: (choice: Choice) => void
  readonly onBack: () => void
  readonly onNext: () => void
}

/** The second step: tables are chosen, one by one or all that a search finds, and columns are left out. */
export function TablesStep({ inspection: { schemas }, choice, onChoice, onBack, onNext }: TablesStepProps) {
  const [search, setSearch] = useState('')
  const [shown, setShown] = useState<string | null>(null)
  const names = matchingTables(schemas, search)
  const tableOf = (name: string): Table | undefined =>
    schemas.flatMap((schema) => schema.tables.filter((table) => `${schema.name}.${table.name}` === name))[0]
  const setAll = (isChosen: boolean) => {
    const tables = new Set(choice.tables)
    for (const name of names) isChosen ? tables.add(name) : tables.delete(name)
    onChoice({ ...choice, tables })
  }
  const isAll = names.length > 0 && names.every((name) => choice.tables.has(name))
  const table = shown === null ? undefined : tableOf(shown)
  return (
    <Panel
      title="Tables and columns"
      beside={<span class="quiet">{formatQuantity(choice.tables.size, 'table')} chosen</span>}
    >
      <div class="choose-head">
        <input
          type="search"
          class="search"
          aria-label="Search tables"
          placeholder="Search tables"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
        <label class="check">
          <input type="checkbox" checked={isAll} onChange={() => setAll(!isAll)} /> all{' '}
          {formatQuantity(names.length, 'table')}
          {search !== '' && ' found'}
        </label>
      </div>
      <div class="choose">
        {names.length === 0 ? (
          <Empty>No table matches.</Empty>
        ) : (
          <div class="choose-list">
            <VirtualList
              label="Tables"
              count={names.length}
              rowHeight={36}
              keyOf={(index) => names[index]!}
              row={(index) => {
                const name = names[index]!
                return (
                  <TableChoice
                    name={name}
                    table={tableOf(name)}
                    isChosen={choice.tables.has(name)}
                    isShown={name === shown}
                    onChosen={() => onChoice({ ...choice, tables: toggled(choice.tables, name) })}
                    onShown={() => setShown(name)}
                  />
                )
              }}
            />
          </div>
        )}
        {shown !== null && table !== undefined && (
          <ColumnsChoice
            name={shown}
            table={table}
            leftOut={choice.leftOut}
            onToggle={(column) => onChoice({ ...choice, leftOut: toggled(choice.leftOut, column) })}
          />
        )}
      </div>
      <div class="dialog-buttons">
        <button type="button" class="button" onClick={onBack}>
          Back
        </button>
        <button type="button" class="button main" disabled={choice.tables.size === 0} onClick={onNext}>
          Review
        </button>
      </div>
    </Panel>
  )
}

function toggled(names: ReadonlySet<string>, name: string): ReadonlySet<string> {
  const next = new Set(names)
  if (!next.delete(name)) next.add(name)
  return next
}

type TableChoiceProps = {
  readonly name: string
  readonly table: Table | undefined
  readonly isChosen: boolean
  readonly isShown: boolean
  readonly onChosen: () => void
  readonly onShown: () => void
}

const TableChoice = ({ name, table, isChosen, isShown, onChosen, onShown }: TableChoiceProps) => (
  <div class={`table-choice ${isShown ? 'open' : ''}`}>
    <label class="check">
      <input type="checkbox" checked={isChosen} onChange={onChosen} /> <Text value={name} />
    </label>
    <span class="quiet">
      {table?.hasKey === false && 'no key · '}~{formatQuantity(table?.rows ?? 0, 'row')}
    </span>
    <button type="button" class="link" aria-expanded={isShown} onClick={onShown}>
      {table?.columns.length ?? 0} columns
    </button>
  </div>
)

type ColumnsChoiceProps = {
  readonly name: string
  readonly table: Table
  readonly leftOut: ReadonlySet<string>
  readonly onToggle: (column: string) => void
}

/** Columns of the key are always captured, because records are found by them. */
const ColumnsChoice = ({ name, table, leftOut, onToggle }: ColumnsChoiceProps) => (
  <fieldset class="columns-choice">
    <legend>
      Columns of <Text value={name} />
    </legend>
    {table.columns.map((column) => {
      const whole = `${name}.${column.name}`
      return (
        <label key={column.name} class="check">
          <input
            type="checkbox"
            checked={!leftOut.has(whole)}
            disabled={column.isKey}
            onChange={() => onToggle(whole)}
          />{' '}
          <Text value={column.name} /> <code class="quiet">{column.type}</code>
          {column.isKey && <span class="chip">key</span>}
        </label>
      )
    })}
  </fieldset>
)
