import { startMapping } from '../account-mappings.ts'
import type { StandIn } from '../stand-in.ts'

/** Starts our own event source mapping, which checks the properties itself. */
export const eventSourceMapping: StandIn = {
  reads: 'all',
  ignores: new Set(),
  attributes: new Set(['Id']),
  bringUp: (id, properties, account) => {
    const ref = `${account.stack.name}-${id}`
    if (account.purpose === 'run') startMapping(account, id, ref, properties as Record<string, unknown>)
    return { ref, attributes: { Id: ref } }
  },
}
