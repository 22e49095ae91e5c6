import type { IncomingMessage } from 'node:http'

/** Why a body is not taken. */
export type BodyProblem = { readonly status: 400 | 413 | 415; readonly message: string }

const MOST_BYTES = 1 << 20

/**
 * The body of a request that posts JSON. Any other type is refused: a page of another origin can post a form or a text
 * without asking this server first, but not JSON.
 */
export async function readBody(request: IncomingMessage): Promise<string | BodyProblem> {
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? ''))
    return { status: 415, message: 'the body has to be JSON, with the content type application/json' }
  const chunks: Buffer[] = []
  let bytes = 0
  // Without this option the connection would be destroyed with the loop, before the refusal was sent.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MOST_BYTES) return { status: 413, message: 'the body is larger than one megabyte' }
    chunks.push(chunk)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch {
    return { status: 400, message: 'the body is not UTF-8' }
  }
}
