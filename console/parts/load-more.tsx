import type { PagedList, PagedRoute } from '../api/pages.ts'
import { sentence } from './panel.tsx'

/** The end of a list: a button that loads more, and why that failed. */
export function LoadMore<R extends PagedRoute>({ list }: { readonly list: PagedList<R> }) {
  if (list.loadMore === null && list.moreProblem === null) return null
  return (
    <div class="list-end">
      {list.moreProblem !== null && <span class="bad-text">{sentence(list.moreProblem.message)}</span>}
      {list.loadMore !== null && (
        <button type="button" class="button small" disabled={list.isLoadingMore} onClick={list.loadMore}>
          {list.isLoadingMore ? 'Loading …' : 'Load more'}
        </button>
      )}
    </div>
  )
}
