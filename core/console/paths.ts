/** The screens of the page to which the API points, as paths. */
export const pathOf = {
  connectors: '/connectors',
  consumers: '/consumers',
  archive: '/archive',
  table: (name: string): string => `/tables/${encodeURIComponent(name)}`,
  windows: (name: string): string => `/windows/${encodeURIComponent(name)}`,
  /** Of one table, or of records that belong to none. */
  quarantine: (table: string | null): string =>
    table === null ? '/quarantine' : `/quarantine?table=${encodeURIComponent(table)}`,
}
