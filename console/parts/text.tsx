import type { Cell, KeyCells } from '#core/console/values.ts'
import { formatCount } from '../text/numbers.ts'
import { markText, type TextForm } from '../text/visible-text.ts'

/**
 * A text of a user, exactly: what cannot be seen is marked, and its direction does not reach beyond it. `form` is `block`
 * where lines break.
 */
export function Text({ value, form = 'line' }: { readonly value: string; readonly form?: TextForm }) {
  return (
    <bdi>
      {markText(value, form).map((part) =>
        part.kind === 'plain' ? part.text : <Mark key={part.text} text={part.text} name={part.name} />,
      )}
    </bdi>
  )
}

const Mark = ({ text, name }: { readonly text: string; readonly name: string | null }) => (
  <span class="mark" title={name ?? undefined}>
    {text}
  </span>
)

type CellTextProps = { readonly cell: Cell; readonly form?: TextForm; readonly isBefore?: boolean }

/**
 * A value of a column. Null, an empty text and a value that was not sent differ from every text. `isBefore` says that it
 * is of the row before a change.
 */
export function CellText({ cell, form = 'line', isBefore = false }: CellTextProps) {
  switch (cell.kind) {
    case 'null':
      return <span class="cell-word">null</span>
    case 'unavailable':
      return isBefore ? (
        <span class="cell-word" title="History does not have the row before this change">
          not known
        </span>
      ) : (
        <span
          class="cell-word"
          title="A large value which the update did not change, so that the source did not send it"
        >
          unchanged, not sent
        </span>
      )
    case 'cut':
      return (
        <span class="cell">
          <Text value={cell.text} form="part" />
          <span class="cut" title="The value is longer than what is shown">
            … {formatCount(cell.length - cell.text.length)} more
          </span>
        </span>
      )
    case 'text':
      return cell.text === '' ? (
        <span class="cell-word">empty text</span>
      ) : (
        <span class="cell">
          <Text value={cell.text} form={form} />
        </span>
      )
  }
}

/** A key in one line, such as `7` or `order 7, line 2`. */
export function KeyText({ cells }: { readonly cells: KeyCells | null }) {
  if (cells === null || cells.length === 0) return <span class="cell-word">no key</span>
  const [first] = cells
  if (cells.length === 1 && first !== undefined) return <CellText cell={first.cell} />
  return (
    <>
      {cells.map(({ name, cell }, index) => (
        <span key={name}>
          {index > 0 && ', '}
          <span class="quiet">
            <Text value={name} />
          </span>{' '}
          <CellText cell={cell} />
        </span>
      ))}
    </>
  )
}

/** `schema.table`, of which the schema is quieter. */
export function TableName({ name }: { readonly name: string }) {
  const dot = name.indexOf('.')
  return (
    <span class="table-name" title={name}>
      {dot > 0 && (
        <span class="quiet">
          <Text value={name.slice(0, dot + 1)} />
        </span>
      )}
      <Text value={name.slice(dot + 1)} />
    </span>
  )
}
