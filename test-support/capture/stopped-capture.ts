import { basicAuthorization } from '#adapters/connect/connect-api.ts'
import { connectLogin } from '#localstack/assembly/local-account.ts'
import { until } from '../eventually.ts'
import type { TestPipeline } from '../pipeline.ts'

/** Headers for requests to the REST API of the pipeline's Connect. */
export const connectHeaders = ({ engine }: TestPipeline): Record<string, string> => ({
  authorization: basicAuthorization(connectLogin(engine.endpoints.key)),
})

/**
 * Changes the source while capture is stopped, so that Debezium reads all of the changes after the source has moved on.
 */
export async function whileStopped(pipeline: TestPipeline, change: () => Promise<void>): Promise<void> {
  const connector = connectorOf(pipeline)
  const headers = connectHeaders(pipeline)
  await ask('PUT', `${connector}/stop`, headers)
  await until('the task to be gone', async () => {
    const { tasks } = (await ask('GET', `${connector}/status`, headers)) as { tasks: unknown[] }
    return tasks.length === 0
  })
  await change()
  await ask('PUT', `${connector}/resume`, headers)
}

/** Makes stopped capture lose its offsets, as when the topic that stores them is lost. */
export async function forgetPlace(pipeline: TestPipeline): Promise<void> {
  await ask('DELETE', `${connectorOf(pipeline)}/offsets`, connectHeaders(pipeline))
}

const connectorOf = ({ settings }: TestPipeline): string =>
  `http://127.0.0.1:${settings.connectPort}/connectors/tidemark`

async function ask(method: string, url: string, headers: Record<string, string>): Promise<unknown> {
  const response = await fetch(url, { method, headers })
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`)
  const text = await response.text()
  return text === '' ? undefined : JSON.parse(text)
}
