import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { comesFromBrowserElsewhere } from '#localstack/browser-request.ts'
import type { FunctionHost } from '#localstack/lambda-host/function-host.ts'
import type { SigningKey } from '#localstack/stack-key.ts'
import { type CustomResourceAnswer, makeCustomResourceAnswers } from './custom-resource-answers.ts'
import type { Request, Response, Service } from './exchange.ts'
import { makeKafkaApi } from './kafka-api.ts'
import { makeLambdaApi } from './lambda-api.ts'
import { makeSecretsManagerApi } from './secrets-manager-api.ts'
import { refuseUnknownCall } from './unknown-call.ts'

export type EndpointOptions = {
  /** 0 chooses a free port. */
  port: number
  functions: Pick<FunctionHost, 'invoke' | 'list'>
  /** A secret's value by name or ARN. */
  secrets: (id: string) => string | undefined
  /** The key with which requests for a secret must be signed. Without a key all of these requests are refused. */
  key?: SigningKey
  /** `host:port,…` of a cluster's brokers, by the name of the bootstrap string. */
  bootstrapBrokers: (clusterArn: string) => Record<string, string> | undefined
  /** Makes the content of `GET /_tidemark/<name>`, which is sent as JSON. The page is looked up at each request. */
  pages: Record<string, () => Promise<unknown>>
  /** Further services that it serves. */
  services?: readonly Service[]
}

/** The server that AWS_ENDPOINT_URL names. */
export type Endpoint = {
  /** `http://127.0.0.1:<port>` */
  url: string
  port: number
  /** The URL to which the custom resource with this token answers. */
  responseUrl(token: string): string
  /** Resolves with the answer that is PUT there, also when it came before the call. Rejects after `timeoutMs`. */
  awaitResponse(token: string, timeoutMs: number): Promise<CustomResourceAnswer>
  stop(): Promise<void>
}

/**
 * Serves, on loopback, the AWS calls that functions and tools make here: Lambda Invoke, GetFunction and ListFunctions,
 * Secrets Manager GetSecretValue, MSK GetBootstrapBrokers, and answers of custom resources. Any other call gets status
 * 501 and its name. Rejects when the port is taken, and names it.
 */
export async function startEndpoint(options: EndpointOptions): Promise<Endpoint> {
  const customResources = makeCustomResourceAnswers()
  const services: Service[] = [
    makeLambdaApi(options.functions),
    makeSecretsManagerApi(options.secrets, options.key),
    makeKafkaApi(options.bootstrapBrokers),
    customResources.service,
    makePages(options.pages),
    ...(options.services ?? []),
  ]
  const server = createServer((incoming, outgoing) => {
    // A client that disconnects while it sends its request cannot be answered. Any other failure gets an answer.
    void answer(incoming, services).then(
      (response) => send(outgoing, response),
      (error) =>
        send(outgoing, {
          status: 500,
          headers: { 'x-amzn-ErrorType': 'ServiceException' },
          body: { message: String(error) },
        }),
    )
  })
  // A synchronous invocation may take as long as the function's timeout, so requests have no time limit.
  server.requestTimeout = 0
  await listen(server, options.port)
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  return {
    url,
    port,
    responseUrl: (token) => `${url}/cloudformation/response/${token}`,
    awaitResponse: customResources.await,
    async stop() {
      server.close()
      server.closeAllConnections()
    },
  }
}

async function listen(server: ReturnType<typeof createServer>, port: number): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(port, '127.0.0.1', resolve)
    })
  } catch (cause) {
    throw new Error(`the endpoint cannot listen on 127.0.0.1:${port}: ${(cause as Error).message}`, { cause })
  }
}

async function answer(incoming: IncomingMessage, services: Service[]): Promise<Response> {
  const url = new URL(incoming.url!, 'http://127.0.0.1')
  const { headers, method = 'GET' } = incoming
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk)
  const path = decodeURIComponent(url.pathname)
  const request: Request = { method, path, query: url.searchParams, headers, body: Buffer.concat(chunks) }
  if (comesFromBrowserElsewhere(headers))
    return { status: 403, body: { message: 'only programs on this machine are served' } }
  for (const service of services) {
    const response = await service(request)
    if (response !== undefined) return response
  }
  return refuseUnknownCall(request)
}

function makePages(pages: Record<string, () => Promise<unknown>>): Service {
  return async ({ method, path }) => {
    const name = /^\/_tidemark\/([\w-]+)$/.exec(path)?.[1]
    const page = name === undefined || method !== 'GET' ? undefined : pages[name]
    return page && { status: 200, body: await page() }
  }
}

function send(outgoing: ServerResponse, { status, headers, body }: Response): void {
  const bytes =
    Buffer.isBuffer(body) || typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body)
  outgoing.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(bytes),
    'x-amzn-RequestId': randomUUID(),
    ...headers,
  })
  outgoing.end(bytes)
}
