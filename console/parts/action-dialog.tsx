import { useEffect, useState } from 'preact/hooks'
import type { ActionAnswer } from '#core/console/actions.ts'
import { AskError } from '../api/ask-error.ts'
import { reloadAll } from '../api/resource.ts'
import { ask } from '../api/server.ts'
import { navigate } from '../routing/navigation.ts'
import { actionTitles, isDangerous, type WantedAction, wantedAction, whyOff } from './actions.tsx'
import { Snippet } from './copy.tsx'
import { Dialog } from './dialog.tsx'
import { sentence, Waiting } from './panel.tsx'
import { State } from './state.tsx'
import { Text } from './text.tsx'

/** The dialog of the action that is wanted, if one is. */
export function ActionDialog() {
  const wanted = wantedAction.value
  return wanted === null ? null : <Asking key={`${wanted.name} ${wanted.target}`} wanted={wanted} />
}

type Answer = ActionAnswer | { readonly kind: 'failed'; readonly error: AskError }

async function request(
  { name, target, configuration }: WantedAction,
  confirmed: boolean,
  reason: string,
): Promise<Answer> {
  const body = {
    ...{ target, confirmed },
    ...(reason === '' ? {} : { reason }),
    ...(configuration === undefined ? {} : { configuration }),
  }
  try {
    return await ask('POST /actions/:action', { params: { action: name }, body })
  } catch (error) {
    if (error instanceof AskError) return { kind: 'failed', error }
    throw error
  }
}

/** It first shows what will happen, and executes it when that is confirmed. */
function Asking({ wanted }: { readonly wanted: WantedAction }) {
  const [answer, setAnswer] = useState<Answer | null>(null)
  const [reason, setReason] = useState('')
  const [isExecuting, setIsExecuting] = useState(false)
  const off = whyOff(wanted.name)
  useEffect(() => {
    if (off === null) void request(wanted, false, '').then(setAnswer)
  }, [])
  const close = () => {
    wantedAction.value = null
    if (answer?.kind === 'done' && wanted.thenTo !== undefined) navigate(wanted.thenTo)
  }
  const execute = async () => {
    setIsExecuting(true)
    setAnswer(await request(wanted, true, reason.trim()))
    setIsExecuting(false)
    reloadAll()
  }
  const isPlan = off === null && answer?.kind === 'plan'
  const lacksReason = answer?.kind === 'plan' && answer.needsReason && reason.trim() === ''
  return (
    <Dialog title={actionTitles[wanted.name]} onClose={close} isHeld={isExecuting}>
      <p class="dialog-target">
        <Text value={wanted.target} />
      </p>
      {off !== null ? <p>{sentence(off)}</p> : <Said answer={answer} />}
      {isPlan && (
        <label class="field">
          <span>Reason {answer.needsReason ? <b>(needed)</b> : <span class="quiet">(kept with the action)</span>}</span>
          <textarea rows={2} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
        </label>
      )}
      <div class="dialog-buttons">
        <button type="button" class="button" disabled={isExecuting} onClick={close}>
          {isPlan ? 'Cancel' : 'Close'}
        </button>
        {isPlan && (
          <button
            type="button"
            class={`button ${isDangerous(wanted.name) ? 'danger' : 'main'}`}
            disabled={isExecuting || lacksReason}
            onClick={() => void execute()}
          >
            {isExecuting ? 'Executing …' : actionTitles[wanted.name]}
          </button>
        )}
      </div>
    </Dialog>
  )
}

function Said({ answer }: { readonly answer: Answer | null }) {
  if (answer === null) return <Waiting />
  switch (answer.kind) {
    case 'plan':
      return (
        <>
          <p class="quiet">This will happen:</p>
          <ul class="plan">
            {answer.will.map((each) => (
              <li key={each}>
                <Text value={sentence(each)} />
              </li>
            ))}
          </ul>
          {answer.command !== null && (
            <>
              <p class="quiet">The same from a terminal:</p>
              <Snippet text={answer.command} what="command" />
            </>
          )}
        </>
      )
    case 'done':
      return (
        <p role="status">
          <State tone="good">
            <Text value={sentence(answer.result)} />
          </State>
        </p>
      )
    case 'refused':
      return <Refused why={answer.why} hint={answer.hint} />
    case 'failed':
      return <Refused why={answer.error.message} hint={answer.error.hint} />
  }
}

const Refused = ({ why, hint }: { readonly why: string; readonly hint: string | null }) => (
  <div role="alert" class="note bad">
    <p>
      <Text value={sentence(why)} />
    </p>
    {hint !== null && (
      <p class="quiet">
        <Text value={sentence(hint)} />
      </p>
    )}
  </div>
)
