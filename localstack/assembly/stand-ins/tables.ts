import * as v from 'valibot'
import { icebergCatalog } from '../archive-servers.ts'
import { arn } from '../local-account.ts'
import { makeStandIn } from '../stand-in.ts'

/**
 * The local Iceberg catalog, under the bucket's ARN. Unlike S3 Tables it does not compact files or remove old table
 * snapshots.
 */
export const tableBucket = makeStandIn({
  properties: { TableBucketName: v.string() },
  ignores: [
    'EncryptionConfiguration',
    'MetricsConfiguration',
    'StorageClassConfiguration',
    'Tags',
    'UnreferencedFileRemoval',
  ],
  attributes: ['TableBucketARN'],
  bringUp: async (_id, { TableBucketName }, account) => {
    if (account.purpose === 'run') await icebergCatalog(account)
    const ref = arn(account.stack, 's3tables', `bucket/${TableBucketName}`)
    return { ref, attributes: { TableBucketARN: ref } }
  },
})

/** The local Iceberg catalog. The namespace is created by its first user. */
export const glueDatabase = makeStandIn({
  properties: { DatabaseInput: v.object({ Name: v.string() }) },
  ignores: ['CatalogId', 'DatabaseInput.Description', 'DatabaseInput.LocationUri', 'DatabaseInput.Parameters'],
  bringUp: async (_id, { DatabaseInput: { Name } }, account) => {
    if (account.purpose === 'run') await icebergCatalog(account)
    return { ref: Name }
  },
})
