import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import type { Stack } from '#localstack/assembly/template/template.ts'
import { readOutputs } from './stack-outputs.ts'

const outputs = `<Outputs>
  <member><OutputKey>SourceEndpoint</OutputKey><OutputValue>127.0.0.1:15432/source</OutputValue></member>
  <member><OutputKey>Words</OutputKey><OutputValue>a &lt; b &amp;&amp; c</OutputValue></member>
</Outputs>`

const stack = {
  name: 'tidemark-local',
  region: 'us-east-1',
  template: { Resources: {}, Outputs: { SourceEndpoint: { Value: '' }, Words: { Value: '' } } },
} as unknown as Stack

/** A CloudFormation that sends these answers one after the other, and then repeats the last one. */
async function cloudFormation(...answers: [number, string][]) {
  const asked: string[] = []
  const server = createServer(async (request, response) => {
    asked.push(await text(request))
    const [status, body] = answers[Math.min(asked.length, answers.length) - 1]!
    response.writeHead(status).end(body)
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

test('outputs that come a moment after the stack is complete are waited for', async () => {
  const { asked, url } = await cloudFormation([200, '<StackStatus>CREATE_COMPLETE</StackStatus>'], [200, outputs])

  const read = await readOutputs(url, stack, new AbortController().signal)

  expect(read).toEqual({ SourceEndpoint: '127.0.0.1:15432/source', Words: 'a < b && c' })
  expect(asked).toEqual(Array(2).fill('Action=DescribeStacks&StackName=tidemark-local&Version=2010-05-15'))
})

test('a stack that is not there is an error with what CloudFormation says', async () => {
  const { url } = await cloudFormation([400, 'Stack with id tidemark-local does not exist'])

  const reading = readOutputs(url, stack, new AbortController().signal)

  await expect(reading).rejects.toThrow('Stack with id tidemark-local does not exist')
})
