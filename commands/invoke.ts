import { parseArgs } from 'node:util'
import { describeAnswer } from './invoke/function-answer.ts'
import { callFunction } from './invoke/function-call.ts'
import { requireEngine } from './running/running-engine.ts'

const help = `npm run invoke -- <function> ['<json>'] [--async] [--json]

Invokes a function of the running stack and prints its answer. If the function fails, it also prints the end of its log.
  <function>   its name, or the end of it: producer stands for tidemark-local-producer
  <json>       the event, {} if there is none
  --async      does not wait for the answer; a function that fails is invoked twice more, as on AWS
  --json       prints status, answer and log as one line of JSON
Exits with 0 when the function succeeded, with 1 when it failed, and with 2 when it was not called.

  npm run invoke -- producer '{"mode":"deltas","eventsPerSecond":10,"count":100}'
  aws lambda invoke --endpoint-url <endpoint> --function-name tidemark-local-producer --payload '{}' out.json`

const options = { async: { type: 'boolean' }, json: { type: 'boolean' }, help: { type: 'boolean' } } as const

/** Returns 0 when the function succeeded, 1 when it failed, and 2 when it could not be called. */
export async function main(argv: string[]): Promise<number> {
  try {
    return await invoke(argv)
  } catch (error) {
    console.error((error as Error).message)
    return 2
  }
}

async function invoke(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args: argv, options, allowPositionals: true })
  const [name, event = '{}', ...rest] = positionals
  if (values.help) {
    console.log(help)
    return 0
  }
  if (name === undefined) throw new Error(`Which function? ${help}`)
  if (rest.length > 0) throw new Error(`The event must be one argument: put it in quotes. Left over: ${rest.join(' ')}`)

  const { endpoint } = (await requireEngine()).endpoints
  const answer = await callFunction(endpoint, { name, event, async: values.async ?? false })
  const { out, err } = describeAnswer(answer, values.json ?? false)
  if (out !== '') console.log(out)
  if (err !== '') console.error(err)
  return answer.functionError === undefined ? 0 : 1
}
