import { useEffect, useState } from 'preact/hooks'
import type { Payload, ShownRecord } from '#core/console/topics.ts'
import { AskError } from '../../api/ask-error.ts'
import { useResource } from '../../api/resource.ts'
import { ask } from '../../api/server.ts'
import { Loaded, sentence } from '../../parts/panel.tsx'
import { Text } from '../../parts/text.tsx'
import { At } from '../../parts/time.tsx'
import { formatBytes, groupDigits } from '../../text/numbers.ts'
import { PayloadView } from './payload-view.tsx'

type RecordPlace = { readonly topic: string; readonly partition: string; readonly offset: string }

/** A record by its place, whole. */
export function RecordAt({ topic, partition, offset }: RecordPlace) {
  const resource = useResource('GET /topics/:topic/records/:partition/:offset', {
    params: { topic, partition, offset },
  })
  return <Loaded resource={resource}>{(record) => <WholeRecord record={record} />}</Loaded>
}

function WholeRecord({ record }: { readonly record: ShownRecord }) {
  const { topic, topicPartition, offset, timestamp, key, value, headers } = record
  return (
    <>
      <dl class="facts">
        <div>
          <dt>Place</dt>
          <dd>
            <Text value={topic} />, topic partition {topicPartition}, offset {groupDigits(offset)}
          </dd>
        </div>
        <div>
          <dt>Time</dt>
          <dd>{timestamp === null ? <span class="cell-word">none</span> : <At time={timestamp} digits={3} />}</dd>
        </div>
      </dl>
      {headers.length > 0 && <Headers headers={headers} />}
      {key === null ? <p class="quiet">It has no key.</p> : <OnePayload name="Key" payload={key} />}
      {value === null ? (
        <p class="quiet">It is a tombstone: it has no value.</p>
      ) : value.isCut ? (
        <LongValue record={record} value={value} />
      ) : (
        <OnePayload name="Value" payload={value} />
      )}
    </>
  )
}

/** A key, or a value that has come as a whole. */
export const OnePayload = ({ name, payload }: { readonly name: string; readonly payload: Payload }) => (
  <PayloadView
    name={name}
    text={payload.text}
    isHex={payload.kind === 'hex'}
    bytes={payload.bytes}
    isWhole={!payload.isCut}
  />
)

const Headers = ({ headers }: Pick<ShownRecord, 'headers'>) => (
  <>
    <h3>Headers</h3>
    <dl class="facts">
      {headers.map(({ name, value }, index) => (
        <div key={`${index} ${name}`}>
          <dt>
            <Text value={name} />
          </dt>
          <dd>
            {value === null ? <span class="cell-word">null</span> : <Text value={value.text} />}
            {value?.isCut && <span class="cut">… of {formatBytes(value.bytes)}</span>}
          </dd>
        </div>
      ))}
    </dl>
  </>
)

/** Values beyond this are loaded when somebody asks for it. */
const MOST_LOADED_BYTES = 8_000_000

/** A value of megabytes, which comes in parts. */
function LongValue({ record, value }: { readonly record: ShownRecord; readonly value: Payload }) {
  const [isWanted, setIsWanted] = useState(value.bytes <= MOST_LOADED_BYTES)
  const { text, isWhole, problem } = useWholeValue(record, value, isWanted)
  return (
    <>
      {!isWhole && (
        <div class="note">
          {problem !== null ? (
            sentence(problem.message)
          ) : isWanted ? (
            <>
              Loading {formatBytes(value.bytes)} <progress max={value.bytes} value={text.length} aria-label="Loaded" />
            </>
          ) : (
            <>
              The beginning of {formatBytes(value.bytes)} is shown.{' '}
              <button type="button" class="button small" onClick={() => setIsWanted(true)}>
                Load all of it
              </button>
            </>
          )}
        </div>
      )}
      <PayloadView name="Value" text={text} isHex={value.kind === 'hex'} bytes={value.bytes} isWhole={isWhole} />
    </>
  )
}

type Whole = { readonly text: string; readonly isWhole: boolean; readonly problem: AskError | null }

function useWholeValue({ topic, topicPartition, offset }: ShownRecord, value: Payload, isWanted: boolean): Whole {
  const [whole, setWhole] = useState<Whole>({ text: value.text, isWhole: false, problem: null })
  useEffect(() => {
    if (!isWanted) return
    const ended = new AbortController()
    const load = async () => {
      const params = { topic, partition: String(topicPartition), offset }
      let text = value.text
      for (let isCut = true; isCut; ) {
        const query = { part: 'value', from: String(text.length) }
        const part = await ask('GET /topics/:topic/records/:partition/:offset', { params, query, signal: ended.signal })
        if (part.value === null || part.value.text === '') break
        text += part.value.text
        isCut = part.value.isCut
        setWhole({ text: value.text, isWhole: false, problem: null })
      }
      setWhole({ text, isWhole: true, problem: null })
    }
    load().catch((error) => {
      if (!ended.signal.aborted && error instanceof AskError) setWhole((before) => ({ ...before, problem: error }))
    })
    return () => ended.abort()
  }, [topic, topicPartition, offset, isWanted])
  return whole
}
