import type { Connection, Inspection } from '#core/console/connectors.ts'
import type { AskError } from '../../api/ask-error.ts'
import { Snippet } from '../../parts/copy.tsx'
import { Panel, sentence } from '../../parts/panel.tsx'
import { State, type Tone } from '../../parts/state.tsx'
import { Text } from '../../parts/text.tsx'

type ConnectionStepProps = {
  readonly connection: Connection
  readonly inspection: Inspection | null
  readonly problem: AskError | null
  readonly isTesting: boolean
  readonly onConnection: (connection: Connection) => void
  readonly onTest: () => void
  readonly onNext: () => void
}

/** The first step: the connection is tested, and the database says whether it can be a source. */
export function ConnectionStep(props: ConnectionStepProps) {
  const { connection, inspection, problem, isTesting, onConnection, onTest, onNext } = props
  const hasError = inspection?.findings.some(({ severity }) => severity === 'error') ?? false
  const field = (name: keyof Connection, label: string) => {
    const input = {
      ...{ required: true, spellcheck: false, value: String(connection[name]) },
      onInput: ({ currentTarget: { value } }: { readonly currentTarget: HTMLInputElement }) =>
        onConnection({ ...connection, [name]: name === 'port' ? Number(value) : value }),
    }
    return (
      // biome-ignore lint/a11y/noLabelWithoutControl: each branch has an input
      <label class="field">
        <span>{label}</span>
        {name === 'password' ? (
          <input type="password" autocomplete="new-password" {...input} />
        ) : (
          <input type="text" autocomplete="off" inputMode={name === 'port' ? 'numeric' : 'text'} {...input} />
        )}
      </label>
    )
  }
  return (
    <Panel title="Connection">
      <form
        class="connection-form"
        onSubmit={(event) => {
          event.preventDefault()
          onTest()
        }}
      >
        {field('host', 'Host')}
        {field('port', 'Port')}
        {field('database', 'Database')}
        {field('user', 'User')}
        {field('password', 'Password')}
        <div class="dialog-buttons">
          <button type="submit" class={`button ${inspection === null ? 'main' : ''}`} disabled={isTesting}>
            {isTesting ? 'Testing …' : 'Test the connection'}
          </button>
          <button type="button" class="button main" disabled={inspection === null || hasError} onClick={onNext}>
            Choose tables
          </button>
        </div>
      </form>
      <div aria-live="polite">
        {problem !== null && (
          <div class="note bad">
            <State tone="bad">No connection</State> <Text value={sentence(problem.message)} />
            {problem.hint !== null && <p class="quiet">{sentence(problem.hint)}</p>}
          </div>
        )}
        {inspection !== null && <Findings inspection={inspection} />}
      </div>
    </Panel>
  )
}

const tones: Readonly<Record<'error' | 'warning' | 'note', Tone>> = { error: 'bad', warning: 'attention', note: 'idle' }

const Findings = ({ inspection: { server, findings } }: { readonly inspection: Inspection }) => (
  <>
    <p>
      <State tone="good">Connected</State> <Text value={server} />
    </p>
    <ul class="findings">
      {findings.map(({ severity, what, sql }) => (
        <li key={what}>
          <State tone={tones[severity]}>{severity}</State> <Text value={sentence(what)} />
          {sql !== null && <Snippet text={sql} what="SQL" />}
        </li>
      ))}
    </ul>
  </>
)
