import * as v from 'valibot'
import type { ArchivePlace } from '#adapters/iceberg/archive/archive-catalog.ts'
import { text } from './environment.ts'

const positive = v.pipe(v.string(), v.transform(Number), v.number(), v.minValue(0))

/** Variables that identify the archive table. */
export const archiveEntries = {
  /** `s3tables` or `glue`: the REST endpoint that is used, and the service that requests are signed for. */
  ARCHIVE_CATALOG: v.picklist(['s3tables', 'glue']),
  /** ARN of the table bucket, or the account of the Glue catalog. */
  ARCHIVE_WAREHOUSE: text,
  ARCHIVE_NAMESPACE: text,
  /**
   * What removes files that are not needed any more: a function, or the catalog, whose store then refuses all others.
   */
  ARCHIVE_MAINTAINED_BY: v.picklist(['function', 'catalog']),
  /** URL of the location where the table is created; empty when the catalog chooses it. */
  ARCHIVE_LOCATION: v.string(),
}

/** Variables that say when waiting files are committed. */
export const commitEntries = { COMMIT_AFTER_SECONDS: positive, COMMIT_AFTER_MIB: positive }

/** The archive table that the variables identify. */
export const archivePlace = (
  environment: v.InferOutput<v.ObjectSchema<typeof archiveEntries, undefined>>,
): ArchivePlace => ({
  catalog: environment.ARCHIVE_CATALOG,
  warehouse: environment.ARCHIVE_WAREHOUSE,
  namespace: environment.ARCHIVE_NAMESPACE,
  location: environment.ARCHIVE_LOCATION,
})

/** When waiting files are committed, as the variables say. */
export const commitRule = (environment: v.InferOutput<v.ObjectSchema<typeof commitEntries, undefined>>) => ({
  afterMs: environment.COMMIT_AFTER_SECONDS * 1000,
  afterBytes: environment.COMMIT_AFTER_MIB * 2 ** 20,
})
