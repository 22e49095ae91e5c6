import type { ComponentChildren } from 'preact'
import type { Unreachable } from '#core/console/values.ts'
import type { AskError } from '../api/ask-error.ts'
import type { Resource } from '../api/resource.ts'
import { Snippet } from './copy.tsx'
import { State } from './state.tsx'
import { At, AtMs } from './time.tsx'

type PanelProps = {
  readonly title: string
  /** Beside the title, such as buttons. */
  readonly beside?: ComponentChildren
  readonly children: ComponentChildren
  readonly class?: string
  /** Whether the content fills the panel to its border, as tables do. */
  readonly isFlush?: boolean
}

/** A part of a screen with a title. */
export function Panel({ title, beside, children, isFlush = false, ...props }: PanelProps) {
  return (
    <section class={`panel ${isFlush ? 'flush' : ''} ${props.class ?? ''}`} aria-label={title}>
      <header class="panel-head">
        <h2>{title}</h2>
        {beside !== undefined && <div class="panel-beside">{beside}</div>}
      </header>
      {children}
    </section>
  )
}

type ResourcePanelProps<T> = Omit<PanelProps, 'children'> & {
  readonly resource: Resource<T>
  readonly children: (value: T) => ComponentChildren
}

/** A panel of what the server answers. While it cannot, the panel says why and keeps what it had, greyed. */
export function ResourcePanel<T>({ resource, children, ...panel }: ResourcePanelProps<T>) {
  return (
    <Panel {...panel}>
      <Loaded resource={resource}>{children}</Loaded>
    </Panel>
  )
}

/** The same without a panel around it. */
export function Loaded<T>({ resource, children }: Pick<ResourcePanelProps<T>, 'resource' | 'children'>) {
  const { value, problem, failingSince, seenAt } = resource
  return (
    <>
      {problem !== null && (
        <ProblemNote problem={problem} since={failingSince} keptFrom={value === null ? null : seenAt} />
      )}
      {value === null ? (
        problem === null && <Waiting />
      ) : problem === null ? (
        children(value)
      ) : (
        <div class="stale">{children(value)}</div>
      )}
    </>
  )
}

/** Lines that stand for what has not come yet. */
export const Waiting = () => (
  <div class="waiting" role="status">
    <span class="sr-only">Loading</span>
    <i />
    <i />
    <i />
  </div>
)

type NoteProps = { readonly problem: AskError; readonly since: number | null; readonly keptFrom: number | null }

/** Why a panel has no content, or only that of some time ago. */
function ProblemNote({ problem, since, keptFrom }: NoteProps) {
  if (problem.unreachable !== null) return <UnreachableNote unreachable={problem.unreachable} keptFrom={keptFrom} />
  if (problem.isLost && keptFrom === null)
    return <div class="note">The console’s server does not answer. The page asks again.</div>
  if (problem.isLost) return null
  return (
    <div class="note bad">
      <p>
        {sentence(problem.message)}
        {since !== null && problem.status >= 500 && (
          <>
            {' '}
            Since <AtMs ms={since} />; the page asks again.
          </>
        )}
      </p>
      {problem.hint !== null && <p class="quiet">{sentence(problem.hint)}</p>}
    </div>
  )
}

type UnreachableProps = { readonly unreachable: Unreachable; readonly keptFrom?: number | null }

/** That a part does not answer, since when and why. */
export function UnreachableNote({ unreachable: { part, why, since, command }, keptFrom = null }: UnreachableProps) {
  return (
    <div class="note bad">
      <p>
        <State tone="bad">{names[part]} cannot be reached</State> since <At time={since} />: {why}.
        {keptFrom !== null && (
          <>
            {' '}
            What is shown is of <AtMs ms={keptFrom} />.
          </>
        )}{' '}
        It comes back by itself once it answers.
      </p>
      {command !== null && <Snippet text={command} what="command" />}
    </div>
  )
}

const names: Readonly<Record<Unreachable['part'], string>> = {
  source: 'The source',
  target: 'The target',
  kafka: 'Kafka',
  connect: 'Kafka Connect',
  archive: 'The archive',
  functions: 'The functions',
}

/** A message as a sentence. Only an ordinary word gets a capital, because names of tables are what they are. */
export const sentence = (text: string): string =>
  `${text.replace(/^[a-z]+(?=[ ,])/, (word) => word[0]!.toUpperCase() + word.slice(1))}${/[.!?:]$|^$/.test(text) ? '' : '.'}`

/** What is shown in place of a list that has nothing. */
export const Empty = ({ children }: { readonly children: ComponentChildren }) => <p class="empty">{children}</p>
