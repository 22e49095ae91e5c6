// Invoked by CloudFormation as a custom resource, at each deployment that changes sql/ or its settings; runs the files of
// sql/ on source and target. When the stack is deleted it removes Tidemark from the source, if the settings say so.

import { join } from 'node:path'
import type { CloudFormationCustomResourceEvent, Context } from 'aws-lambda'
import { databaseSecret } from '#adapters/aws/secrets.ts'
import { makePool } from '#adapters/postgres/session/connect.ts'
import { answerCustomResource } from '../custom-resource.ts'
import { makeDeployWindows } from './deploy-windows.ts'
import { readEnvironment } from './environment.ts'
import { makeMigrateSchema } from './migrate-schema.ts'

const environment = readEnvironment(process.env)
const administrator = (secretArn: string) =>
  makePool({
    credentials: databaseSecret(secretArn),
    tls: environment.DATABASE_TLS,
    applicationName: 'tidemark-migrate-schema',
    max: 1,
    timeouts: 'none',
  })
const consoleLogins = (readArn: string, actArn: string) => ({
  ...(readArn !== '' && { tidemark_console_read: databaseSecret(readArn) }),
  ...(actArn !== '' && { tidemark_console_act: databaseSecret(actArn) }),
})
const directory = join(import.meta.dirname, 'sql')
const target = administrator(environment.TARGET_SECRET_ARN)

const migrateSchema = makeMigrateSchema({
  source: {
    database: administrator(environment.SOURCE_SECRET_ARN),
    directory: join(directory, 'source'),
    logins: {
      tidemark_capture: databaseSecret(environment.CAPTURE_SECRET_ARN),
      tidemark_producer: databaseSecret(environment.PRODUCER_SECRET_ARN),
      ...consoleLogins(environment.CONSOLE_READ_SOURCE_SECRET_ARN, environment.CONSOLE_ACT_SOURCE_SECRET_ARN),
    },
  },
  target: {
    database: target,
    directory: join(directory, 'target'),
    logins: {
      tidemark_apply: databaseSecret(environment.APPLY_SECRET_ARN),
      tidemark_archive: databaseSecret(environment.ARCHIVE_SECRET_ARN),
      tidemark_windows: databaseSecret(environment.WINDOWS_SECRET_ARN),
      tidemark_read: databaseSecret(environment.READ_SECRET_ARN),
      ...consoleLogins(environment.CONSOLE_READ_TARGET_SECRET_ARN, environment.CONSOLE_ACT_TARGET_SECRET_ARN),
    },
  },
})

const deployWindows = makeDeployWindows(target)

/** The definitions of windows are a resource of their own, so that they are deployed without a migration. */
export const handler = (event: CloudFormationCustomResourceEvent, context: Context) =>
  answerCustomResource(event, context, event.ResourceType === 'Custom::Windows' ? deployWindows : migrateSchema)
