import type { ColumnChange, ShownChange } from '#core/console/changes.ts'
import type { Cell } from '#core/console/values.ts'
import { CellText, KeyText, TableName, Text } from '../../parts/text.tsx'
import { At } from '../../parts/time.tsx'
import { changeQuery } from '../../routing/navigation.ts'
import { OpMark } from './op-mark.tsx'

/** The height of a change in a list, in pixels, on a wide screen and on a phone. */
export const CHANGE_HEIGHT = { wide: 54, narrow: 92 } as const

type ChangeRowProps = { readonly change: ShownChange; readonly isOpen: boolean; readonly hasTable?: boolean }

/** A change in a list: what, when, who, and the columns that it changed. It opens the whole change beside the list. */
export function ChangeRow({ change, isOpen, hasTable = true }: ChangeRowProps) {
  const { id, op, table, key, committedAt } = change
  return (
    <div class={`change ${isOpen ? 'open' : ''}`}>
      <span class="change-when">
        <At time={committedAt} digits={3} />
        {change.transaction !== null && <span class="quiet"> tx {change.transaction}</span>}
      </span>
      <span class="change-what">
        <OpMark op={op} />
        <button
          type="button"
          class="stretched"
          data-row
          aria-expanded={isOpen}
          onClick={() => changeQuery({ open: isOpen ? null : id })}
        >
          {hasTable && <TableName name={table} />}{' '}
          <span class="change-key">
            <KeyText cells={key} />
          </span>
        </button>
      </span>
      <span class="change-columns">
        <ChangedColumns change={change} />
      </span>
      <span class="change-who">
        <Who change={change} />
      </span>
    </div>
  )
}

/** Who and why, as far as it is known. */
function Who({ change: { who, application, why } }: { readonly change: ShownChange }) {
  const name = who ?? application
  return (
    <>
      {name !== null && <Text value={name} />}
      {why !== null && (
        <span class="quiet">
          <Text value={why} />
        </span>
      )}
    </>
  )
}

/** Values are much longer than a row of the list, and each part of one is drawn. */
const shortened = (cell: Cell): Cell =>
  cell.kind === 'text' && cell.text.length > 120
    ? { kind: 'cut', text: cell.text.slice(0, 100), length: cell.text.length }
    : cell

function ChangedColumns({ change }: { readonly change: ShownChange }) {
  const { op, columns, columnCount, changedCount } = change
  if (op === 'truncate') return <span class="quiet">all rows were removed</span>
  const shown = op === 'update' ? columns.filter(({ isChanged }) => isChanged) : columns
  const [total, noun] = op === 'update' ? [changedCount, 'changed'] : [columnCount, 'columns']
  if (op === 'update' && total === 0) return <span class="quiet">no column changed</span>
  return (
    <>
      {shown.slice(0, 6).map((column) => (
        <ColumnPiece key={column.name} column={column} />
      ))}
      {total > Math.min(6, shown.length) && (
        <span class="quiet">
          +{total - Math.min(6, shown.length)} {noun}
        </span>
      )}
    </>
  )
}

function ColumnPiece({ column: { name, before, after } }: { readonly column: ColumnChange }) {
  return (
    <span class="piece">
      <span class="quiet">
        <Text value={name} />
      </span>{' '}
      {before !== undefined && (
        <span class="before">
          <CellText cell={shortened(before)} />
        </span>
      )}
      {before !== undefined && after !== undefined && <span class="arrow-to"> → </span>}
      {after !== undefined && (
        <span class="after">
          <CellText cell={shortened(after)} />
        </span>
      )}
    </span>
  )
}
