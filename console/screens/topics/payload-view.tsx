import { useEffect, useMemo, useState } from 'preact/hooks'
import { initiallyFolded, unfoldedLines } from '../../json/folded-lines.ts'
import { type JsonFault, JsonLines } from '../../json/json-lines.ts'
import { readJsonLines } from '../../json/json-parser.ts'
import { TextRows } from '../../json/text-rows.ts'
import { VirtualList } from '../../lists/virtual-list.tsx'
import { CopyButton } from '../../parts/copy.tsx'
import { Text } from '../../parts/text.tsx'
import { formatBytes, formatCount } from '../../text/numbers.ts'
import { JsonRow } from './json-row.tsx'

const LINE_HEIGHT = 20
/** So many UTF-16 units are in a row of the text. */
const TEXT_WIDTH = 160
/** More rows than this scroll in a region of their own. */
const MOST_ROWS = 24

type PayloadProps = {
  readonly name: string
  readonly text: string
  readonly isHex: boolean
  readonly bytes: number
  readonly isWhole: boolean
}

/** A key or a value, as a tree if it is JSON, and as it is written. Megabytes of it do not stop the page. */
export function PayloadView({ name, text, isHex, bytes, isWhole }: PayloadProps) {
  const json = useJson(isHex || !isWhole ? null : text)
  const [wantsText, setWantsText] = useState(false)
  const lines = json instanceof JsonLines ? json : null
  const isTree = lines !== null && !wantsText
  return (
    <div class="payload">
      <div class="payload-head">
        <h3>{name}</h3>
        <span class="quiet">
          {formatBytes(bytes)}
          {isHex && ', no UTF-8: hexadecimal'}
          {json === 'reading' && ', reading …'}
          {json !== null && json !== 'reading' && lines === null && !isHex && ', no JSON'}
        </span>
        {lines !== null && (
          <span class="tabs small">
            <button type="button" aria-pressed={isTree} onClick={() => setWantsText(false)}>
              Tree
            </button>
            <button type="button" aria-pressed={!isTree} onClick={() => setWantsText(true)}>
              Text
            </button>
          </span>
        )}
        <CopyButton text={text} />
      </div>
      {isTree ? <Tree name={name} lines={lines} /> : <Rows name={name} text={text} />}
    </div>
  )
}

/** Reads JSON in steps between which the page can do other things. Null while there is nothing to read. */
function useJson(text: string | null): JsonLines | JsonFault | 'reading' | null {
  const [read, setRead] = useState<JsonLines | JsonFault | 'reading' | null>(null)
  useEffect(() => {
    if (text === null) return setRead(null)
    const steps = readJsonLines(text)
    let timer: ReturnType<typeof setTimeout>
    const step = () => {
      const { done, value } = steps.next()
      if (done) setRead(value)
      else timer = setTimeout(step)
    }
    setRead('reading')
    step()
    return () => clearTimeout(timer)
  }, [text])
  return read
}

const heightOf = (rows: number) => ({ height: `${Math.min(rows, MOST_ROWS) * LINE_HEIGHT + 16}px` })

function Tree({ name, lines }: { readonly name: string; readonly lines: JsonLines }) {
  const [folded, setFolded] = useState<ReadonlySet<number>>(() => initiallyFolded(lines))
  const shown = useMemo(() => unfoldedLines(lines, folded), [lines, folded])
  const toggle = (line: number) => {
    const next = new Set(folded)
    if (!next.delete(line)) next.add(line)
    setFolded(next)
  }
  return (
    <>
      {folded.size > 0 && (
        <div class="fold-bar">
          <span class="quiet">{formatCount(lines.count)} lines</span>
          <button type="button" class="link" onClick={() => setFolded(new Set())}>
            Unfold all
          </button>
        </div>
      )}
      <div class="code-region" style={heightOf(shown.length)}>
        <VirtualList
          label={`${name} as a tree`}
          count={shown.length}
          rowHeight={LINE_HEIGHT}
          keyOf={(index) => shown[index]!}
          row={(index) => (
            <JsonRow lines={lines} index={shown[index]!} isFolded={folded.has(shown[index]!)} onToggle={toggle} />
          )}
        />
      </div>
    </>
  )
}

function Rows({ name, text }: { readonly name: string; readonly text: string }) {
  const rows = useMemo(() => new TextRows(text, TEXT_WIDTH), [text])
  return (
    <div class="code-region" style={heightOf(rows.count)}>
      <VirtualList
        label={`${name} as text`}
        count={rows.count}
        rowHeight={LINE_HEIGHT}
        keyOf={(index) => index}
        row={(index) => (
          <code class="code-line">
            <Text value={rows.row(index)} form="part" />
          </code>
        )}
      />
    </div>
  )
}
