import { ConnectUnreachableError } from '#adapters/connect/connect-api.ts'
import { BrokersUnreachableError } from '#adapters/kafka/topics/topic-session.ts'

/** Codes of Node and of Postgres for a server that is not there, that ends, starts, or does not answer in time. */
const codes = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'EPIPE'],
  ...['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_SOCKET'],
  ...['57P01', '57P02', '57P03', '08000', '08001', '08003', '08006', '53300', '28P01'],
])

/** What pg says without a code: its own time limit, and a connection that was closed. */
const messages = /timeout expired|timeout exceeded when trying to connect|connection terminated|query read timeout/i

/** Names of the errors of AWS's clients and of fetch when no answer comes. */
const names = new Set(['TimeoutError', 'AbortError', 'NetworkingError'])

/** Whether a part does not answer at all, unlike one that answers with an error. The causes of the error count too. */
export function isUnreachable(error: unknown): boolean {
  for (let each: unknown = error, depth = 0; each instanceof Error && depth < 6; each = each.cause, depth++) {
    if (each instanceof BrokersUnreachableError || each instanceof ConnectUnreachableError) return true
    const { code } = each as { code?: unknown }
    if (typeof code === 'string' && codes.has(code)) return true
    if (names.has(each.name) || messages.test(each.message)) return true
    if (each instanceof AggregateError && each.errors.some(isUnreachable)) return true
  }
  return false
}
