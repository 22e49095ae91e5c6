import { useState } from 'preact/hooks'
import type { ShownProblem } from '#core/console/overview.ts'
import { ActionButton } from '../../parts/actions.tsx'
import { Snippet } from '../../parts/copy.tsx'
import { sentence } from '../../parts/panel.tsx'
import { State, type Tone } from '../../parts/state.tsx'
import { Text } from '../../parts/text.tsx'
import { Ago, At } from '../../parts/time.tsx'

const tones: Readonly<Record<ShownProblem['severity'], Tone>> = {
  stopped: 'stopped',
  failing: 'bad',
  attention: 'attention',
}

/** So many problems are shown at once. */
const MOST_SHOWN = 4

/** What is wrong, the most severe first. */
export function Problems({ problems }: { readonly problems: readonly ShownProblem[] }) {
  const [isWhole, setIsWhole] = useState(false)
  const shown = isWhole ? problems : problems.slice(0, MOST_SHOWN)
  return (
    <section class="problems" aria-label="What is wrong">
      {shown.map((problem) => (
        <Problem key={`${problem.severity} ${problem.what}`} problem={problem} />
      ))}
      {problems.length > shown.length && (
        <button type="button" class="button more" onClick={() => setIsWhole(true)}>
          Show {problems.length - shown.length} more
        </button>
      )}
    </section>
  )
}

function Problem({ problem }: { readonly problem: ShownProblem }) {
  const { severity, what, why, follows, since, command, sql, action, path } = problem
  return (
    <article class={`problem ${severity}`}>
      <header>
        <State tone={tones[severity]}>{severity === 'attention' ? 'needs attention' : severity}</State>
        <h2>
          {path === null ? (
            <Text value={what} />
          ) : (
            <a href={path} data-row>
              <Text value={what} />
            </a>
          )}
        </h2>
        {since !== null && (
          <span class="quiet">
            since <At time={since} /> (<Ago time={since} />)
          </span>
        )}
      </header>
      <p>
        <Text value={sentence(why)} />
      </p>
      {follows !== '' && (
        <p class="quiet">
          <Text value={sentence(follows)} />
        </p>
      )}
      {(command !== null || sql !== null || action !== null) && (
        <div class="cures">
          {sql !== null && <Snippet text={sql} what="SQL" />}
          {command !== null && <Snippet text={command} what="command" />}
          {action !== null && <ActionButton action={action} isMain />}
        </div>
      )}
    </article>
  )
}
