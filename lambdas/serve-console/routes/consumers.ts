import { shownConsumers } from '#core/console/shown-consumers.ts'
import type { MappingHealth } from '#core/status/health.ts'
import type { Status } from '#core/status/status.ts'
import type { RouteHandlers } from '../serve-console.ts'
import type { UnreachableParts } from '../unreachable-parts.ts'

/** What the route of consumers needs. */
export type ConsumerParts = {
  readonly status: () => Promise<Status>
  readonly mappings: () => Promise<readonly MappingHealth[]>
  readonly parts: Pick<UnreachableParts, 'ask'>
}

/** Answers which functions read which topics, and how far each is. */
export const consumerRoutes = ({ status, mappings, parts }: ConsumerParts): Pick<RouteHandlers, 'GET /consumers'> => ({
  'GET /consumers': async () => {
    const [{ lags }, known] = await Promise.all([status(), parts.ask('functions', mappings)])
    return { consumers: shownConsumers(lags, known) }
  },
})
