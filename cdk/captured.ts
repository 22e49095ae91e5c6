/** Which tables and columns of the source are captured. */
export type Captured = {
  /** Schemas captured as a whole, tables created later included. */
  schemas: string[]
  /** Further tables, `schema.table`. */
  includeTables: string[]
  /** Tables left out, `schema.table`. */
  excludeTables: string[]
  /** Columns that never leave the source, `schema.table.column`: personal data. */
  excludeColumns: string[]
}
