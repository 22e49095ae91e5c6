import { signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import type { ActionName } from '#core/console/actions.ts'
import { session } from '../api/server.ts'

/** An action that somebody wants to execute. `title` heads its dialog. */
export type WantedAction = {
  readonly name: ActionName
  readonly target: string
  readonly configuration?: Readonly<Record<string, string>>
  /** Where the page goes after the action. */
  readonly thenTo?: string
}

/** The action whose dialog is open. */
export const wantedAction = signal<WantedAction | null>(null)

/** What the button of each action says. */
export const actionTitles: Readonly<Record<ActionName, string>> = {
  'table.resync': 'Read all rows again',
  'table.accept': 'Accept and go on',
  'quarantine.retry': 'Retry',
  'quarantine.discard': 'Discard',
  'connector.create': 'Create connector',
  'connector.restart': 'Restart',
  'connector.pause': 'Pause',
  'connector.resume': 'Resume',
  'connector.delete': 'Delete',
  'capture.recover': 'Recover capture',
}

const dangerous: readonly ActionName[] = ['quarantine.discard', 'connector.delete', 'table.accept']

/** Whether an action takes something away, so that its button looks so. */
export const isDangerous = (name: ActionName): boolean => dangerous.includes(name)

/** Why this console does not execute an action; null if it does. */
export function whyOff(name: ActionName): string | null {
  const now = session.value
  if (now === null) return 'The console has not said yet which actions it executes.'
  if (now.actions.includes(name)) return null
  return now.actionsOff ?? `This console does not execute ${actionTitles[name].toLowerCase()}.`
}

type ActionButtonProps = {
  readonly action: WantedAction
  readonly children?: ComponentChildren
  readonly isMain?: boolean
}

/**
 * Opens the dialog of an action. Where actions are off the button is still there, looks so, and its dialog says why,
 * because a button that cannot be pressed explains nothing to a keyboard or a finger.
 */
export function ActionButton({ action, children, isMain = false }: ActionButtonProps) {
  const off = whyOff(action.name)
  const look = isDangerous(action.name) ? 'danger' : isMain ? 'main' : ''
  return (
    <button
      type="button"
      class={`button ${look} ${off === null ? '' : 'off'}`}
      aria-disabled={off !== null}
      title={off ?? undefined}
      onClick={() => {
        wantedAction.value = action
      }}
    >
      {children ?? actionTitles[action.name]}
    </button>
  )
}
