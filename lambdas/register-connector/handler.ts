// Invoked by CloudFormation as a custom resource; creates, updates and removes the connector of Kafka Connect.

import type { CloudFormationCustomResourceEvent, Context } from 'aws-lambda'
import { databaseSecret, loginSecret } from '#adapters/aws/secrets.ts'
import { connectApi } from '#adapters/connect/connect-api.ts'
import { makePool } from '#adapters/postgres/session/connect.ts'
import { answerCustomResource } from '../custom-resource.ts'
import { readEnvironment } from './environment.ts'
import { registerConnector } from './register-connector.ts'

const { CONNECT_URL, CONNECT_SECRET_ARN, SOURCE_SECRET_ARN, DATABASE_TLS } = readEnvironment(process.env)
const connect = connectApi(CONNECT_URL, CONNECT_SECRET_ARN === '' ? undefined : loginSecret(CONNECT_SECRET_ARN))
const credentials = databaseSecret(SOURCE_SECRET_ARN)
const openSource = () =>
  makePool({ credentials, tls: DATABASE_TLS, applicationName: 'tidemark-register-connector', max: 1 })

/** Time that is reserved for reporting an error before the answer's own limit. */
const REPORT_MS = 10_000

export const handler = (event: CloudFormationCustomResourceEvent, context: Context): Promise<void> =>
  answerCustomResource(event, context, async () => {
    const remainingMs = () => context.getRemainingTimeInMillis() - REPORT_MS
    const print = (line: string) => void process.stdout.write(`${line}\n`)
    await registerConnector(event, { connect, openSource, remainingMs, print })
    return {}
  })
