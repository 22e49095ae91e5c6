import { useEffect, useRef } from 'preact/hooks'
import { snapshot } from '../api/snapshot.ts'
import { place } from '../routing/navigation.ts'
import { formatCount } from '../text/numbers.ts'
import { type Section, sections } from './sections.ts'

/** The sections of the page. On a phone they are one row, which scrolls. */
export function NavigationBar() {
  const [open = ''] = place.value.path
  const bar = useRef<HTMLElement>(null)
  useEffect(() => {
    // On a phone the present section may lie beyond the edge.
    const link = bar.current?.querySelector<HTMLElement>('[aria-current]')
    if (link != null && bar.current !== null) bar.current.scrollLeft = link.offsetLeft - 120
  }, [open])
  return (
    <nav class="sections" aria-label="Sections" ref={bar}>
      {sections.map(({ group, sections: some }) => (
        <div key={group} class="section-group">
          <span class="group-name">{group}</span>
          {some.map((section) => (
            <SectionLink key={section.path} section={section} isOpen={isIn(section, open)} />
          ))}
        </div>
      ))}
    </nav>
  )
}

/** Rows and transactions belong to the changes. */
const isIn = ({ path }: Section, open: string): boolean =>
  path === open || (path === 'changes' && (open === 'rows' || open === 'transactions'))

function SectionLink({ section, isOpen }: { readonly section: Section; readonly isOpen: boolean }) {
  const count = section.path === 'quarantine' ? quarantinedRecords() : 0
  return (
    <a class="section" href={`/${section.path}`} aria-current={isOpen ? 'page' : undefined}>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <path d={section.icon} />
      </svg>
      <span>{section.name}</span>
      {count > 0 && <b class="count">{formatCount(count)}</b>}
    </a>
  )
}

const quarantinedRecords = (): number =>
  (snapshot.value?.status?.quarantined ?? []).reduce((sum, { records }) => sum + records, 0)
