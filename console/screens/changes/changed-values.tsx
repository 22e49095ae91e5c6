import type { ShownChange } from '#core/console/changes.ts'
import { CellText, Text } from '../../parts/text.tsx'
import { shownColumns } from './shown-columns.ts'

/** So many columns of a change are shown. */
const MOST_COLUMNS = 8

/** The columns that a change changed, or the first ones of the row, one below the other. */
export function ChangedValues({ change }: { readonly change: ShownChange }) {
  if (change.op === 'truncate') return <p class="quiet">All rows of the table were removed.</p>
  const { columns, more, isBeforeUnknown } = shownColumns(change, MOST_COLUMNS)
  if (change.op === 'update' && columns.length === 0) return <p class="quiet">No column changed.</p>
  return (
    <div>
      {isBeforeUnknown && (
        <p class="quiet">History does not have the row before this change. This is the row after it.</p>
      )}
      <dl class="changed-values">
        {columns.map(({ name, before, after }) => (
          <div key={name}>
            <dt>
              <Text value={name} />
            </dt>
            <dd>
              {before !== undefined && (
                <span class="before">
                  <CellText cell={before} isBefore />
                </span>
              )}
              {before !== undefined && after !== undefined && <span class="arrow-to"> → </span>}
              {after !== undefined && (
                <span class="after">
                  <CellText cell={after} />
                </span>
              )}
            </dd>
          </div>
        ))}
      </dl>
      {more > 0 && <p class="quiet">and {more} more</p>}
    </div>
  )
}
