import { usePages } from '../../api/pages.ts'
import { urlOf } from '../../api/server.ts'
import { VirtualList } from '../../lists/virtual-list.tsx'
import { Empty, Loaded, Panel, sentence } from '../../parts/panel.tsx'
import { isNarrow } from '../../parts/preferences.ts'
import { At } from '../../parts/time.tsx'
import { formatCount } from '../../text/numbers.ts'
import type { Filters } from './change-filter.tsx'
import { CHANGE_HEIGHT, ChangeRow } from './change-row.tsx'

type FoundProps = { readonly filters: Filters; readonly open: string | null }

/** The changes that a search has found, newest first, and how far it has looked. */
export function FoundChanges({ filters, open }: FoundProps) {
  const list = usePages('GET /changes', { query: { ...filters, limit: '100' } })
  const { resource, items, last, loadMore, isLoadingMore, moreProblem } = list
  const isTable = filters.table !== undefined && filters.table !== ''
  const beside = (
    <>
      <span class="quiet">
        {formatCount(items.length)} found{last?.next !== null && ' so far'}
      </span>
      <a
        class="button small"
        href={urlOf('GET /export', { query: { ...filters, format: 'csv' } })}
        download="changes.csv"
      >
        CSV
      </a>
      <a
        class="button small"
        href={urlOf('GET /export', { query: { ...filters, format: 'ndjson' } })}
        download="changes.ndjson"
      >
        NDJSON
      </a>
    </>
  )
  return (
    <Panel title="Found" beside={beside} isFlush class="live-panel">
      <Loaded resource={resource}>
        {() => (
          <>
            {items.length === 0 ? (
              <Empty>{last?.next == null ? 'No change matches.' : 'No change matches so far.'}</Empty>
            ) : (
              <div class="fill">
                <VirtualList
                  label="Changes found, newest first"
                  count={items.length}
                  rowHeight={isNarrow.value ? CHANGE_HEIGHT.narrow : CHANGE_HEIGHT.wide}
                  keyOf={(index) => items[index]!.id}
                  row={(index) => (
                    <ChangeRow change={items[index]!} isOpen={items[index]!.id === open} hasTable={!isTable} />
                  )}
                />
              </div>
            )}
            <div class="list-end">
              {last?.searchedUntil != null && (
                <span class="quiet">
                  searched down to <At time={last.searchedUntil} />
                </span>
              )}
              {moreProblem !== null && <span class="bad-text">{sentence(moreProblem.message)}</span>}
              {loadMore !== null && (
                <button type="button" class="button small" disabled={isLoadingMore} onClick={loadMore}>
                  {isLoadingMore ? 'Searching …' : 'Search on'}
                </button>
              )}
            </div>
          </>
        )}
      </Loaded>
    </Panel>
  )
}
