import type { SigningKey } from '#localstack/stack-key.ts'
import { headerOf, type Request, type Response } from './exchange.ts'
import { isSignedWith } from './signature.ts'

/**
 * The error response for a request that is not signed with the stack's key; undefined for a signed one. Other users of
 * the machine can reach the port, too, so calls that change the stack or show its content require the key.
 */
export async function refuseUnsigned(key: SigningKey | undefined, request: Request): Promise<Response | undefined> {
  if (key !== undefined && (await isSignedWith(key, request))) return undefined
  const message =
    "The request is not signed with the key of this stack. Its key is in the file aws.ini of the stack's directory: set AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE to .tidemark/aws.ini, unset AWS_ACCESS_KEY_ID and AWS_PROFILE, and ask again."
  const errorType = 'UnrecognizedClientException'
  const target = headerOf(request, 'x-amz-target')
  return {
    status: target === undefined ? 403 : 400,
    headers: { 'x-amzn-ErrorType': errorType, ...(target !== undefined && jsonHeaders) },
    body: JSON.stringify({ __type: errorType, message }),
  }
}

const jsonHeaders = { 'Content-Type': 'application/x-amz-json-1.1' }

/** A response in the JSON protocol of the services that are called by `X-Amz-Target`. */
export const jsonAnswer = (body: object, status = 200): Response => ({
  status,
  headers: jsonHeaders,
  body: JSON.stringify(body),
})

/** An error response in that protocol. */
export const jsonError = (errorType: string, message: string): Response =>
  jsonAnswer({ __type: errorType, message }, 400)

/** An error response in the protocol of the services that are called by path. */
export const restError = (status: number, errorType: string, message: string): Response => ({
  status,
  headers: { 'x-amzn-ErrorType': errorType },
  body: { Type: 'User', message, Message: message },
})
