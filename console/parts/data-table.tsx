import type { ComponentChildren } from 'preact'

/** A column of a table. `isNumber` aligns it to the right. */
export type Column<T> = {
  readonly title: string
  readonly cell: (row: T) => ComponentChildren
  readonly isNumber?: boolean
  /** Whether it is the heading of a card, on a phone. */
  readonly isHeading?: boolean
  readonly class?: string
}

type DataTableProps<T> = {
  readonly label: string
  readonly columns: readonly Column<T>[]
  readonly rows: readonly T[]
  readonly keyOf: (row: T) => string
  readonly rowClass?: (row: T) => string
}

/** A table, whose rows are cards on a phone. Where it is too wide it scrolls in its own region. */
export function DataTable<T>({ label, columns, rows, keyOf, rowClass }: DataTableProps<T>) {
  return (
    <section class="table-region" aria-label={`${label}, table`} tabIndex={0}>
      <table class="data-table">
        <thead>
          <tr>
            {columns.map(({ title, isNumber }) => (
              <th key={title} scope="col" class={isNumber ? 'number' : undefined}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)} class={rowClass?.(row)}>
              {columns.map((column) => (
                <td key={column.title} data-label={column.title} class={classOf(column)}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

function classOf<T>({ isNumber, isHeading, ...column }: Column<T>): string {
  return [isNumber ? 'number' : '', isHeading ? 'card-heading' : '', column.class ?? ''].join(' ').trim()
}
