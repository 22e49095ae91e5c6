/**
 * Where a table is created that replaces another one: at the same place. It is empty, so that the catalog chooses, when
 * the other table had its own bucket, as each table of S3 Tables has.
 */
export const placeOf = (location: string): string => (parentOf(location) === undefined ? '' : withoutSlash(location))

/** A place beside that of a table, named after the time in `formerName`; empty when the catalog chooses. */
export function placeBeside(location: string, formerName: string): string {
  const parent = parentOf(location)
  return parent === undefined ? '' : `${parent}/changes_from_${/\d+$/.exec(formerName)![0]}`
}

/** Whether a place is the same as another one, or inside it. */
export const isIn = (place: string, other: string): boolean =>
  `${withoutSlash(place)}/`.startsWith(`${withoutSlash(other)}/`)

/** Undefined when the place is a whole bucket. */
const parentOf = (location: string): string | undefined => /^(.+:\/\/[^/]+.*)\/[^/]+$/.exec(withoutSlash(location))?.[1]

const withoutSlash = (location: string): string => location.replace(/\/+$/, '')
