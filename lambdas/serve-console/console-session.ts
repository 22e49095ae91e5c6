import { ACTION_NAMES } from '#core/console/actions.ts'
import type { Session } from '#core/console/overview.ts'
import packageJson from '../../package.json' with { type: 'json' }

/** What a console says about itself to each of its users. */
export type ConsoleSession = Omit<Session, 'who'>

export type SessionOptions = Pick<ConsoleSession, 'token' | 'events' | 'archiveQuery' | 'stage'> & {
  /** Why nothing can be done, and how that is changed; null if actions are allowed. */
  readonly actionsOff: string | null
}

/** The product's version, under which actions are recorded. */
export const CONSOLE_VERSION = packageJson.version

/** Makes it. A console executes all actions or none. */
export const consoleSession = ({ actionsOff, ...session }: SessionOptions): ConsoleSession => ({
  ...session,
  version: CONSOLE_VERSION,
  actions: actionsOff === null ? ACTION_NAMES : [],
  actionsOff,
})
