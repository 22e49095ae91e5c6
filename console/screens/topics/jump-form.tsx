import { useEffect, useState } from 'preact/hooks'
import type { ListedTopic } from '#core/console/topics.ts'
import { zone } from '../../parts/preferences.ts'
import { navigate, place } from '../../routing/navigation.ts'
import { hrefOf } from '../../routing/place.ts'
import { groupDigits } from '../../text/numbers.ts'
import { inputOfTime, timeOfInput } from '../../text/times.ts'

/** Where a view of a topic begins, as the URL has it. */
export type Jump = {
  readonly from?: string
  readonly partition?: string
  readonly offset?: string
  readonly time?: string
  readonly key?: string
}

const NAMES = ['from', 'partition', 'offset', 'time', 'key'] as const

export const jumpOf = (query: Readonly<Record<string, string>>): Jump =>
  Object.fromEntries(NAMES.flatMap((name) => (query[name] === undefined ? [] : [[name, query[name]]])))

type JumpFormProps = { readonly topic: string; readonly listed: ListedTopic | null }

/** Jumps to a place of a topic: its begin or end, an offset, a time, or the records of a key. */
export function JumpForm({ topic, listed }: JumpFormProps) {
  const { query } = place.value
  const [draft, setDraft] = useState<Jump>(jumpOf(query))
  useEffect(() => setDraft(jumpOf(query)), [query])
  const go = (jump: Jump) => navigate(hrefOf(['topics', topic], jump))
  const set = (name: (typeof NAMES)[number], value: string) => setDraft({ ...draft, [name]: value })
  return (
    <form
      class="filters"
      onSubmit={(event) => {
        event.preventDefault()
        const { from, ...rest } = draft
        go(rest.offset || rest.time ? rest : { ...rest, from: from ?? 'begin' })
      }}
    >
      <label class="field">
        <span>Topic partition</span>
        <select value={draft.partition ?? ''} onChange={(event) => set('partition', event.currentTarget.value)}>
          <option value="">all</option>
          {(listed?.topicPartitions ?? []).map(({ topicPartition, begin, end }) => (
            <option key={topicPartition} value={topicPartition}>
              {topicPartition}: {groupDigits(begin)} – {groupDigits(end)}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>Offset</span>
        <input
          class="short"
          inputMode="numeric"
          value={draft.offset ?? ''}
          onInput={(event) => set('offset', event.currentTarget.value)}
        />
      </label>
      <label class="field">
        <span>Time</span>
        <input
          type="datetime-local"
          step="1"
          value={inputOfTime(draft.time ?? '', zone.value)}
          onInput={(event) => set('time', timeOfInput(event.currentTarget.value, zone.value) ?? '')}
        />
      </label>
      <label class="field grow">
        <span>Key contains</span>
        <input
          data-search
          spellcheck={false}
          value={draft.key ?? ''}
          onInput={(event) => set('key', event.currentTarget.value)}
        />
      </label>
      <div class="filter-buttons">
        <button type="submit" class="button main">
          Go
        </button>
        <button type="button" class="button small" onClick={() => go({ from: 'begin' })}>
          Begin
        </button>
        <button type="button" class="button small" onClick={() => go({ from: 'end' })}>
          Last records
        </button>
        <a class="button small" href={hrefOf(['topics', topic])}>
          Live
        </a>
      </div>
    </form>
  )
}
