import { useEffect, useRef, useState } from 'preact/hooks'
import type { ShownProblem } from '#core/console/overview.ts'
import { lostSince, session } from '../api/server.ts'
import { READABLE_VERSION, snapshot, snapshotProblem } from '../api/snapshot.ts'
import { sentence } from '../parts/panel.tsx'
import { State } from '../parts/state.tsx'
import { AtMs } from '../parts/time.tsx'

/** What concerns every screen: that the console's server is lost, refuses, or is newer than this page. */
export function Banners() {
  const lost = lostSince.value
  const problem = snapshotProblem.value
  const version: number | undefined = snapshot.value?.version
  return (
    <div class="banners">
      {lost !== null && (
        <p class="banner bad" role="alert">
          <State tone="bad">The console’s server does not answer</State> since <AtMs ms={lost} />. What you see is of
          the time before. The page tries again by itself.
        </p>
      )}
      {lost === null && problem !== null && (
        <p class="banner bad" role="alert">
          {sentence(problem.message)} {problem.hint === null ? '' : sentence(problem.hint)}
          {problem.status === 401 && ' Load the page again to log in.'}
        </p>
      )}
      {version !== undefined && version > READABLE_VERSION && (
        <p class="banner" role="alert">
          This page is older than its server.{' '}
          <button type="button" class="button small" onClick={() => location.reload()}>
            Load it again
          </button>
        </p>
      )}
    </div>
  )
}

/** Says new problems, and only these, to those who do not see the page. */
export function NewProblems() {
  const [said, setSaid] = useState('')
  const known = useRef<ReadonlySet<string> | null>(null)
  const problems = snapshot.value?.problems
  useEffect(() => {
    if (problems === undefined) return
    const names = new Set(problems.map(nameOf))
    const before = known.current
    known.current = names
    if (before === null) return
    const come = problems.filter((problem) => !before.has(nameOf(problem)))
    if (come.length > 0)
      setSaid(
        come
          .slice(0, 3)
          .map(({ what, why }) => `New problem: ${what}: ${why}`)
          .join('. '),
      )
  }, [problems])
  return (
    <div class="sr-only" aria-live="polite">
      {said}
    </div>
  )
}

const nameOf = ({ severity, what }: ShownProblem): string => `${severity} ${what}`

/** Why actions are off, where they are. */
export function ActionsOff() {
  const why = session.value?.actionsOff ?? null
  return why === null ? null : (
    <p class="actions-off">
      <State tone="idle">read only</State> {sentence(why)}
    </p>
  )
}
