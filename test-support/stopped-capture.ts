import { eventually, type TestPipeline } from './pipeline.ts'

/** Changes the source while nothing is captured, so that Debezium meets all of it behind the source. */
export async function whileStopped(pipeline: TestPipeline, change: () => Promise<void>): Promise<void> {
  const connector = connectorOf(pipeline)
  await ask('PUT', `${connector}/stop`)
  await eventually('the task to be gone', async () => {
    const { tasks } = (await ask('GET', `${connector}/status`)) as { tasks: unknown[] }
    return tasks.length === 0
  })
  await change()
  await ask('PUT', `${connector}/resume`)
}

/** Has stopped capture forget how far it came, as when the topic that says so is lost. */
export async function forgetPlace(pipeline: TestPipeline): Promise<void> {
  await ask('DELETE', `${connectorOf(pipeline)}/offsets`)
}

const connectorOf = ({ settings }: TestPipeline): string =>
  `http://127.0.0.1:${settings.connectPort}/connectors/tidemark`

async function ask(method: string, url: string): Promise<unknown> {
  const response = await fetch(url, { method })
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`)
  const text = await response.text()
  return text === '' ? undefined : JSON.parse(text)
}
