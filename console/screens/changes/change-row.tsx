import type { ColumnChange, ShownChange } from '#core/console/changes.ts'
import type { Cell } from '#core/console/values.ts'
import { CellText, KeyText, TableName, Text } from '../../parts/text.tsx'
import { At } from '../../parts/time.tsx'
import { changeQuery } from '../../routing/navigation.ts'
import { OpMark } from './op-mark.tsx'
import { shownColumns } from './shown-columns.ts'

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

/** So many columns of a change are in its row of the list. */
const MOST_COLUMNS = 6

function ChangedColumns({ change }: { readonly change: ShownChange }) {
  if (change.op === 'truncate') return <span class="quiet">all rows were removed</span>
  const { columns, more, isBeforeUnknown } = shownColumns(change, MOST_COLUMNS)
  if (change.op === 'update' && columns.length === 0) return <span class="quiet">no column changed</span>
  return (
    <>
      {isBeforeUnknown && <span class="cell-word">row before not known</span>}
      {columns.map((column) => (
        <ColumnPiece key={column.name} column={column} />
      ))}
      {more > 0 && (
        <span class="quiet">
          +{more} {change.op === 'update' && !isBeforeUnknown ? 'changed' : 'columns'}
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
          <CellText cell={shortened(before)} isBefore />
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
