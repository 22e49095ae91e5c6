import type { IncomingHttpHeaders } from 'node:http'

const local = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/

/**
 * Whether a web page may have had a browser send this: a page elsewhere, also one that another port of this machine serves,
 * sends its own origin, and one whose name was made to resolve to this machine sends that name as the host.
 */
export function comesFromBrowserElsewhere({ host = '', origin }: IncomingHttpHeaders): boolean {
  return !local.test(host) || (origin !== undefined && origin !== `http://${host}`)
}
