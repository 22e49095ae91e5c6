import type { Outputs } from '#localstack/assembly/deploy.ts'
import type { Stack } from '#localstack/assembly/template/template.ts'
import { becomesTrue } from '#localstack/processes/readiness.ts'

const PATIENCE_MS = 30_000

/**
 * Reads the outputs of the stack from CloudFormation at `url`. LocalStack reports a stack as complete a moment before
 * it has the outputs, so they are waited for. Throws an Error that names an output which does not come.
 */
export async function readOutputs(url: string, stack: Stack, signal: AbortSignal): Promise<Outputs> {
  const wanted = Object.entries(stack.template.Outputs ?? {}).filter(([, { Condition }]) => Condition === undefined)
  let outputs: Outputs = {}
  const missing = () => wanted.find(([name]) => outputs[name] === undefined)?.[0]
  const look = async () => {
    outputs = parseOutputs(await describeStack(url, stack))
    return missing() === undefined
  }
  if (await becomesTrue(look, { withinMs: PATIENCE_MS, everyMs: 100, signal })) return outputs
  signal.throwIfAborted()
  throw new Error(`the stack ${stack.name} in LocalStack has no output ${missing()}`)
}

/** The answer of DescribeStacks, in XML. LocalStack reads only the service's name from a signature. */
async function describeStack(url: string, { name, region }: Stack): Promise<string> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      Authorization: `AWS4-HMAC-SHA256 Credential=local/20260101/${region}/cloudformation/aws4_request, SignedHeaders=host, Signature=none`,
    },
    body: new URLSearchParams({ Action: 'DescribeStacks', StackName: name, Version: '2010-05-15' }),
  })
  const answer = await response.text()
  if (!response.ok) throw new Error(`LocalStack does not describe the stack ${name}: ${answer}`)
  return answer
}

/** Keys and values of the outputs in the answer of DescribeStacks. */
export function parseOutputs(xml: string): Outputs {
  const member = /<OutputKey>([^<]*)<\/OutputKey>\s*<OutputValue>([^<]*)<\/OutputValue>/g
  return Object.fromEntries([...xml.matchAll(member)].map(([, key, value]) => [unescapeXml(key!), unescapeXml(value!)]))
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

const unescapeXml = (text: string): string =>
  text.replaceAll(/&(\w+);/g, (whole, name: string) => entities[name] ?? whole)
