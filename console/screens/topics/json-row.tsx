import type { JsonLines } from '../../json/json-lines.ts'
import { Text } from '../../parts/text.tsx'
import { formatCount } from '../../text/numbers.ts'

/** Deeper lines are not indented any further. */
const MOST_INDENT = 40
/** So much of a long text is shown in its line. */
const MOST_SHOWN = 400

type JsonRowProps = {
  readonly lines: JsonLines
  readonly index: number
  readonly isFolded: boolean
  readonly onToggle: (index: number) => void
}

/** A line of the tree. Numbers have all digits that the record has. */
export function JsonRow({ lines, index, isFolded, onToggle }: JsonRowProps) {
  const { kind, depth, key, text, partner, hasComma } = lines.line(index)
  const name = key === null ? null : key.slice(0, MOST_SHOWN)
  return (
    <code class="code-line" style={{ paddingLeft: `${Math.min(depth, MOST_INDENT) * 16 + 18}px` }}>
      {kind === 'open' && (
        <button
          type="button"
          class="fold"
          aria-expanded={!isFolded}
          aria-label={`${isFolded ? 'Unfold' : 'Fold'} ${name ?? 'this'}`}
          onClick={() => onToggle(index)}
        >
          {isFolded ? '▸' : '▾'}
        </button>
      )}
      {name !== null && (
        <>
          <span class="json-key">
            <Text value={name} />
          </span>
          :{' '}
        </>
      )}
      {isFolded ? <Folded open={text} lines={partner - index - 1} /> : <Value kind={kind} text={text} />}
      {hasComma && ','}
    </code>
  )
}

const Folded = ({ open, lines }: { readonly open: string; readonly lines: number }) => (
  <>
    {open} <span class="quiet">{formatCount(lines)} lines</span> {open === '{' ? '}' : ']'}
  </>
)

function Value({ kind, text }: { readonly kind: string; readonly text: string }) {
  const isCut = text.length > MOST_SHOWN
  return (
    <span class={`json-${kind}`}>
      <Text value={isCut ? text.slice(0, MOST_SHOWN) : text} />
      {isCut && <span class="cut">… {formatCount(text.length - MOST_SHOWN)} more: see the text</span>}
    </span>
  )
}
