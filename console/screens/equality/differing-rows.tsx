import type { Equality } from '#core/console/equality.ts'
import { Text } from '../../parts/text.tsx'

type Difference = Equality['tables'][number]['differences'][number]

/** Rows that differ, side by side. What both sides have in common at the begin and the end is quieter. */
export const DifferingRows = ({ differences }: { readonly differences: readonly Difference[] }) => (
  <div class="differences-list">
    {differences.map((difference) => (
      <div key={difference.key} class="difference">
        <code class="difference-key">
          <Text value={difference.key} />
        </code>
        <Side name="Source" text={difference.source} other={difference.target} />
        <Side name="Target" text={difference.target} other={difference.source} />
      </div>
    ))}
  </div>
)

type SideProps = { readonly name: string; readonly text: string | null; readonly other: string | null }

function Side({ name, text, other }: SideProps) {
  if (text === null)
    return (
      <div class="side">
        <h3>{name}</h3>
        <span class="cell-word">has no such row</span>
      </div>
    )
  const [from, to] = other === null ? [0, text.length] : differingPart(text, other)
  return (
    <div class="side">
      <h3>{name}</h3>
      <code>
        <span class="quiet">
          <Text value={text.slice(0, from)} form="part" />
        </span>
        <mark>
          <Text value={text.slice(from, to)} form="part" />
        </mark>
        <span class="quiet">
          <Text value={text.slice(to)} form="part" />
        </span>
      </code>
    </div>
  )
}

/** Where a text differs from another: from the first unit that does up to the last one. */
export function differingPart(text: string, other: string): readonly [from: number, to: number] {
  const shorter = Math.min(text.length, other.length)
  let from = 0
  while (from < shorter && text[from] === other[from]) from++
  let same = 0
  while (same < shorter - from && text.at(-1 - same) === other.at(-1 - same)) same++
  return [from, text.length - same]
}
