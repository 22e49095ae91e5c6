import pg from 'pg'
import { sessionOptions, WITHOUT_TIMEOUTS } from './session-settings.ts'

/**
 * A configuration for clients of a URL that somebody gave: with our session settings and without the timeouts of the
 * database. Startup options that the URL has are kept, before ours.
 */
export function urlConfiguration(
  url: string,
  applicationName: string,
  more: Readonly<Record<string, string>> = {},
): { connectionString: string; application_name: string; options: string } {
  const ours = sessionOptions({ ...WITHOUT_TIMEOUTS, ...more })
  const application_name = applicationName
  if (!/[?&]options=/.test(url)) return { connectionString: url, application_name, options: ours }
  // Options of the URL would take the place of ours.
  const parsed = new URL(url)
  const options = `${parsed.searchParams.get('options')} ${ours}`
  parsed.searchParams.delete('options')
  return { connectionString: parsed.href, application_name, options }
}

/** A client for such a URL, which is not connected yet. */
export const clientOfUrl = (url: string, applicationName: string, config: pg.ClientConfig = {}): pg.Client =>
  new pg.Client({ ...urlConfiguration(url, applicationName), ...config })
