import pg from 'pg'
import { sessionOptions, WITHOUT_TIMEOUTS } from './session-settings.ts'

/**
 * The configuration of a client for a URL that a user gave. It adds Tidemark's session settings and switches off the
 * timeouts of the database. Startup options in the URL are kept, before Tidemark's own.
 */
export function urlConfiguration(
  url: string,
  applicationName: string,
  more: Readonly<Record<string, string>> = {},
): { connectionString: string; application_name: string; options: string } {
  const ours = sessionOptions({ ...WITHOUT_TIMEOUTS, ...more })
  const application_name = applicationName
  if (!/[?&]options=/.test(url)) return { connectionString: url, application_name, options: ours }
  // The options of the URL would replace these options, so both are joined.
  const parsed = new URL(url)
  const options = `${parsed.searchParams.get('options')} ${ours}`
  parsed.searchParams.delete('options')
  return { connectionString: parsed.href, application_name, options }
}

/** A client for a URL that a user gave. It is not connected yet. */
export const clientOfUrl = (url: string, applicationName: string, config: pg.ClientConfig = {}): pg.Client =>
  new pg.Client({ ...urlConfiguration(url, applicationName), ...config })
