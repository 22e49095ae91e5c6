import type { ShownChange } from '#core/console/changes.ts'
import { CellText, Text } from '../../parts/text.tsx'

/** The columns that a change changed, or the first ones of the row, one below the other. */
export function ChangedValues({
  change: { op, columns, columnCount, changedCount },
}: {
  readonly change: ShownChange
}) {
  if (op === 'truncate') return <p class="quiet">All rows of the table were removed.</p>
  const shown = op === 'update' ? columns.filter(({ isChanged }) => isChanged) : columns
  const left = (op === 'update' ? changedCount : columnCount) - Math.min(shown.length, 8)
  return (
    <div>
      <dl class="changed-values">
        {shown.slice(0, 8).map(({ name, before, after }) => (
          <div key={name}>
            <dt>
              <Text value={name} />
            </dt>
            <dd>
              {before !== undefined && (
                <span class="before">
                  <CellText cell={before} />
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
      {left > 0 && <p class="quiet">and {left} more</p>}
    </div>
  )
}
