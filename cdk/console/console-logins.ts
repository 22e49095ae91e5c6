import type * as iam from 'aws-cdk-lib/aws-iam'
import type * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager'
import type { Source } from '../source/source.ts'
import type { Target } from '../target/target.ts'

/** A role of the console on both sides. */
export type ConsoleLogin = { readonly source: secretsmanager.ISecret; readonly target: secretsmanager.ISecret }

/** Generated passwords of the console's roles. migrate-schema sets them. */
export class ConsoleLogins {
  /** Role tidemark_console_read: reads what the console shows. */
  readonly read: ConsoleLogin
  /** Role tidemark_console_act: has actions executed; undefined if the console only shows. */
  readonly act: ConsoleLogin | undefined

  constructor({ source, target, actions }: { source: Source; target: Target; actions: boolean }) {
    const loginOf = (role: string): ConsoleLogin => ({
      source: source.database.credentialsOf(role),
      target: target.database.credentialsOf(role),
    })
    this.read = loginOf('tidemark_console_read')
    this.act = actions ? loginOf('tidemark_console_act') : undefined
  }

  /** The roles that get a password. */
  get roles(): 'read' | 'read and act' {
    return this.act === undefined ? 'read' : 'read and act'
  }

  /** Lets the client read all of these passwords. */
  grantRead(client: iam.IGrantable): void {
    for (const login of [this.read, this.act]) {
      login?.source.grantRead(client)
      login?.target.grantRead(client)
    }
  }
}
