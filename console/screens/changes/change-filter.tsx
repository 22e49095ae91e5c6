import { useEffect, useState } from 'preact/hooks'
import { CHANGE_OPS } from '#core/console/changes.ts'
import { snapshot } from '../../api/snapshot.ts'
import { zone } from '../../parts/preferences.ts'
import { navigate, place } from '../../routing/navigation.ts'
import { hrefOf } from '../../routing/place.ts'
import { inputOfTime, timeOfInput } from '../../text/times.ts'

/** The filters of changes that the URL has, by the names of the API's parameters. */
export const FILTERS = ['table', 'key', 'op', 'since', 'until', 'transaction', 'who'] as const
export type FilterName = (typeof FILTERS)[number]
export type Filters = Readonly<Partial<Record<FilterName, string>>>

/** The filters of the present URL. */
export function filtersOf(query: Readonly<Record<string, string>>): Filters {
  return Object.fromEntries(FILTERS.flatMap((name) => (query[name] === undefined ? [] : [[name, query[name]]])))
}

const times: readonly (readonly [label: string, ms: number])[] = [
  ['5 min', 300_000],
  ['1 h', 3_600_000],
  ['1 day', 86_400_000],
]

/** The form by which changes are searched. What it says is in the URL once it is sent. */
export function ChangeFilterForm() {
  const { query } = place.value
  const [draft, setDraft] = useState<Filters>(filtersOf(query))
  useEffect(() => setDraft(filtersOf(query)), [query])
  const set = (name: FilterName) => (event: { readonly currentTarget: { readonly value: string } }) =>
    setDraft({ ...draft, [name]: event.currentTarget.value })
  const search = (filters: Filters) => navigate(hrefOf(['changes'], { mode: 'search', ...filters }))
  const time = (name: 'since' | 'until', label: string) => (
    <label class="field">
      <span>{label}</span>
      <input
        type="datetime-local"
        step="1"
        value={inputOfTime(draft[name] ?? '', zone.value)}
        onInput={(event) => setDraft({ ...draft, [name]: timeOfInput(event.currentTarget.value, zone.value) ?? '' })}
      />
    </label>
  )
  return (
    <form
      class="filters"
      onSubmit={(event) => {
        event.preventDefault()
        search(draft)
      }}
    >
      <label class="field grow">
        <span>Table</span>
        <input
          data-search
          list="captured-tables"
          placeholder="public.orders"
          value={draft.table ?? ''}
          onInput={set('table')}
        />
      </label>
      <TableNames />
      <label class="field grow">
        <span>Key</span>
        <input placeholder='{"id": 7}' spellcheck={false} value={draft.key ?? ''} onInput={set('key')} />
      </label>
      <label class="field">
        <span>Operation</span>
        <select value={draft.op ?? ''} onChange={set('op')}>
          <option value="">any</option>
          {CHANGE_OPS.map((op) => (
            <option key={op}>{op}</option>
          ))}
        </select>
      </label>
      {time('since', 'From')}
      {time('until', 'Before')}
      <label class="field">
        <span>Transaction</span>
        <input class="short" inputMode="numeric" value={draft.transaction ?? ''} onInput={set('transaction')} />
      </label>
      <label class="field">
        <span>Who or why</span>
        <input class="short" value={draft.who ?? ''} onInput={set('who')} />
      </label>
      <div class="filter-buttons">
        <button type="submit" class="button main">
          Search
        </button>
        {times.map(([label, ms]) => (
          <button
            key={label}
            type="button"
            class="button small"
            title={`Changes of the last ${label}`}
            onClick={() => search({ ...draft, since: new Date(Date.now() - ms).toISOString(), until: '' })}
          >
            Last {label}
          </button>
        ))}
      </div>
    </form>
  )
}

const TableNames = () => (
  <datalist id="captured-tables">
    {(snapshot.value?.status?.tables ?? []).slice(0, 1_000).map(({ name }) => (
      <option key={name} value={name} />
    ))}
  </datalist>
)
