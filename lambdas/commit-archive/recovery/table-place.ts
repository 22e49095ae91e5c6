/**
 * Where a table is made in place of one that was there: at the same place. Empty, so that the catalog decides, where that one
 * had a bucket of its own, as each table of S3 Tables has.
 */
export const placeOf = (location: string): string => (parentOf(location) === undefined ? '' : withoutSlash(location))

/** A place next to a table's, called by the time until which that one goes; empty where the catalog decides. */
export function placeBeside(location: string, formerName: string): string {
  const parent = parentOf(location)
  return parent === undefined ? '' : `${parent}/changes_from_${/\d+$/.exec(formerName)![0]}`
}

/** Whether a place is another one, or inside of it. */
export const isIn = (place: string, other: string): boolean =>
  `${withoutSlash(place)}/`.startsWith(`${withoutSlash(other)}/`)

/** Undefined where the place is a whole bucket. */
const parentOf = (location: string): string | undefined => /^(.+:\/\/[^/]+.*)\/[^/]+$/.exec(withoutSlash(location))?.[1]

const withoutSlash = (location: string): string => location.replace(/\/+$/, '')
