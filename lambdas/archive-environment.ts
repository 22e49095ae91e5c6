import * as v from 'valibot'
import type { ArchivePlace } from '#adapters/iceberg/archive/archive-catalog.ts'
import { text } from './environment.ts'

const positive = v.pipe(v.string(), v.transform(Number), v.number(), v.minValue(0))

/** Variables by which a function finds the archive table. */
export const archiveEntries = {
  /** `s3tables` or `glue`: whose REST endpoint is asked, and what its requests are signed for. */
  ARCHIVE_CATALOG: v.picklist(['s3tables', 'glue']),
  /** ARN of the table bucket, or the account of the Glue catalog. */
  ARCHIVE_WAREHOUSE: text,
  ARCHIVE_NAMESPACE: text,
  /** Who removes files that nobody needs any more: a function, or the catalog, whose store lets nobody else do so. */
  ARCHIVE_MAINTAINED_BY: v.picklist(['function', 'catalog']),
  /** URL of the place where the table is made; empty where the catalog decides. */
  ARCHIVE_LOCATION: v.string(),
}

/** Variables that say when what waits is committed. */
export const commitEntries = { COMMIT_AFTER_SECONDS: positive, COMMIT_AFTER_MIB: positive }

/** Where the variables say that the archive table is. */
export const archivePlace = (
  environment: v.InferOutput<v.ObjectSchema<typeof archiveEntries, undefined>>,
): ArchivePlace => ({
  catalog: environment.ARCHIVE_CATALOG,
  warehouse: environment.ARCHIVE_WAREHOUSE,
  namespace: environment.ARCHIVE_NAMESPACE,
  location: environment.ARCHIVE_LOCATION,
})

/** When the variables say that what waits is committed. */
export const commitRule = (environment: v.InferOutput<v.ObjectSchema<typeof commitEntries, undefined>>) => ({
  afterMs: environment.COMMIT_AFTER_SECONDS * 1000,
  afterBytes: environment.COMMIT_AFTER_MIB * 2 ** 20,
})
