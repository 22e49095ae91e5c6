import { Heading } from '../../parts/heading.tsx'
import { place } from '../../routing/navigation.ts'
import { ChangeDrawer } from './change-detail.tsx'
import { ChangeFilterForm, filtersOf } from './change-filter.tsx'
import { FoundChanges } from './found-changes.tsx'
import { LiveTail } from './live-tail.tsx'

/** Changes as they come, or those that a search finds; one of them may be open beside the list. */
export function ChangesScreen() {
  const { path, query } = place.value
  const filters = filtersOf(query)
  const isSearch = query['mode'] === 'search' || Object.keys(filters).length > 0
  const open = query['open'] ?? path[1] ?? null
  return (
    <div class="tall-screen">
      <Heading title="Changes">
        <span class="tabs">
          <a href="/changes" aria-current={isSearch ? undefined : 'page'}>
            Live
          </a>
          <a href="/changes?mode=search" aria-current={isSearch ? 'page' : undefined}>
            Search
          </a>
        </span>
      </Heading>
      {isSearch && <ChangeFilterForm />}
      <div class={open === null ? 'beside' : 'beside has-drawer'}>
        {isSearch ? <FoundChanges filters={filters} open={open} /> : <LiveTail open={open} />}
        {open !== null && <ChangeDrawer key={open} id={open} />}
      </div>
    </div>
  )
}
