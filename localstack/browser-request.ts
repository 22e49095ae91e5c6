import type { IncomingHttpHeaders } from 'node:http'

const local = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/

/**
 * Whether a web page of another server may have made a browser send this request. Such a page sends its own origin,
 * also when another port of this machine serves it. A page whose host name was made to resolve to this machine sends
 * that name as the host.
 */
export function comesFromBrowserElsewhere({ host = '', origin }: IncomingHttpHeaders): boolean {
  return !local.test(host) || (origin !== undefined && origin !== `http://${host}`)
}
