import { useState } from 'preact/hooks'
import type { Connection, Inspection } from '#core/console/connectors.ts'
import { AskError } from '../../api/ask-error.ts'
import { ask } from '../../api/server.ts'
import { wantedAction } from '../../parts/actions.tsx'
import { Heading } from '../../parts/heading.tsx'
import { Panel, sentence } from '../../parts/panel.tsx'
import { ConnectionStep } from './connection-step.tsx'
import { TablesStep } from './tables-step.tsx'
import {
  type Choice,
  configurationOf,
  identifierOf,
  readConfiguration,
  withoutPassword,
  withPassword,
} from './wizard-configuration.ts'

const steps = ['Connection', 'Tables and columns', 'Review'] as const

const empty: Connection = { host: '', port: 5432, database: '', user: '', password: '' }

/** Makes a connector: the connection is tested, tables and columns are chosen, and the configuration is read again. */
export function ConnectorWizard() {
  const [step, setStep] = useState(0)
  const [connection, setConnection] = useState(empty)
  const [inspection, setInspection] = useState<Inspection | null>(null)
  const [problem, setProblem] = useState<AskError | null>(null)
  const [isTesting, setIsTesting] = useState(false)
  const [choice, setChoice] = useState<Choice>({ tables: new Set(), leftOut: new Set() })
  const test = async () => {
    setIsTesting(true)
    setProblem(null)
    try {
      setInspection(await ask('POST /connectors/inspect', { body: connection }))
    } catch (error) {
      setInspection(null)
      if (error instanceof AskError) setProblem(error)
    }
    setIsTesting(false)
  }
  return (
    <>
      <Heading title="New connector" above={{ href: '/connectors', name: 'Connectors' }} />
      <ol class="steps">
        {steps.map((name, index) => (
          <li key={name} aria-current={index === step ? 'step' : undefined} class={index < step ? 'done' : ''}>
            <span>{index + 1}</span> {name}
          </li>
        ))}
      </ol>
      {step === 0 && (
        <ConnectionStep
          {...{ connection, inspection, problem, isTesting }}
          onConnection={(changed) => {
            setConnection(changed)
            setInspection(null)
          }}
          onTest={() => void test()}
          onNext={() => setStep(1)}
        />
      )}
      {step === 1 && inspection !== null && (
        <TablesStep
          inspection={inspection}
          choice={choice}
          onChoice={setChoice}
          onBack={() => setStep(0)}
          onNext={() => setStep(2)}
        />
      )}
      {step === 2 && <Review connection={connection} choice={choice} onBack={() => setStep(1)} />}
    </>
  )
}

type ReviewProps = { readonly connection: Connection; readonly choice: Choice; readonly onBack: () => void }

/** The configuration, which can be edited before the connector is created. */
function Review({ connection, choice, onBack }: ReviewProps) {
  const [name, setName] = useState(identifierOf(connection.database))
  const [edited, setEdited] = useState<string | null>(null)
  const json = edited ?? JSON.stringify(withoutPassword(configurationOf(name, connection, choice)), null, 2)
  const read = readConfiguration(json)
  const create = () => {
    if ('configuration' in read) {
      wantedAction.value = {
        name: 'connector.create',
        target: name,
        configuration: withPassword(read.configuration, connection.password),
        thenTo: '/connectors',
      }
    }
  }
  return (
    <Panel title="Review">
      <label class="field">
        <span>Name of the connector</span>
        <input value={name} spellcheck={false} onInput={(event) => setName(event.currentTarget.value)} />
      </label>
      <label class="field">
        <span>
          Configuration{' '}
          {edited !== null && (
            <button type="button" class="link" onClick={() => setEdited(null)}>
              Undo my changes
            </button>
          )}
        </span>
        <textarea
          class="code"
          rows={22}
          spellcheck={false}
          value={json}
          onInput={(event) => setEdited(event.currentTarget.value)}
        />
      </label>
      {'why' in read && (
        <p class="bad-text" role="alert">
          {sentence(`the configuration cannot be used: ${read.why}`)}
        </p>
      )}
      <div class="dialog-buttons">
        <button type="button" class="button" onClick={onBack}>
          Back
        </button>
        <button type="button" class="button main" disabled={'why' in read || name === ''} onClick={create}>
          Create connector
        </button>
      </div>
    </Panel>
  )
}
