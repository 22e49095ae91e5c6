import type { Payload, ShownRecord } from '#core/console/topics.ts'
import { Text } from '../../parts/text.tsx'
import { At } from '../../parts/time.tsx'
import { formatBytes, groupDigits } from '../../text/numbers.ts'

/** The height of a record in a list, in pixels, on a wide screen and on a phone. */
export const RECORD_HEIGHT = { wide: 36, narrow: 66 } as const

/** Names a record of a topic in the URL. */
export const recordName = ({ topicPartition, offset }: ShownRecord): string => `${topicPartition}@${offset}`

type RecordRowProps = { readonly record: ShownRecord; readonly isOpen: boolean; readonly onOpen: () => void }

/** A record in a list: its place, its time, its key and the beginning of its value. */
export function RecordRow({ record, isOpen, onOpen }: RecordRowProps) {
  const { topicPartition, offset, timestamp, key, value } = record
  return (
    <div class={`record ${isOpen ? 'open' : ''}`}>
      <button type="button" class="stretched number" data-row aria-expanded={isOpen} onClick={onOpen}>
        <span class="quiet">{topicPartition}@</span>
        {groupDigits(offset)}
      </button>
      {timestamp === null ? <span class="cell-word">no time</span> : <At time={timestamp} digits={3} />}
      <span class="record-key">
        {key === null ? <span class="cell-word">no key</span> : <Beginning payload={key} most={80} />}
      </span>
      <span class="record-value">
        {value === null ? <span class="cell-word">tombstone</span> : <Beginning payload={value} most={240} />}
      </span>
      <span class="record-size quiet">{value === null ? '' : formatBytes(value.bytes)}</span>
    </div>
  )
}

const Beginning = ({ payload: { kind, text }, most }: { readonly payload: Payload; readonly most: number }) => (
  <code>
    {kind === 'hex' && <span class="quiet">hex </span>}
    <Text value={text.slice(0, most)} />
  </code>
)
