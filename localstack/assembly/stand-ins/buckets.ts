import * as v from 'valibot'
import { ensureBucket } from '#localstack/servers/archive/object-store.ts'
import { objectStore } from '../archive-servers.ts'
import { makeStandIn } from '../stand-in.ts'

/** A bucket of the local object store. */
export const bucket = makeStandIn({
  properties: { BucketName: v.optional(v.string()) },
  // Versions and notifications are not ignored: users that rely on them would find them missing.
  ignores: [
    'BucketEncryption',
    'IntelligentTieringConfigurations',
    'LifecycleConfiguration',
    'MetricsConfigurations',
    'OwnershipControls',
    'PublicAccessBlockConfiguration',
    'Tags',
  ],
  attributes: ['Arn'],
  bringUp: async (id, { BucketName }, account) => {
    const ref = BucketName ?? `${account.stack.name}-${id}`.toLowerCase().slice(0, 63)
    if (account.purpose === 'run') {
      await objectStore(account)
      await ensureBucket(account.settings.objectStorePort, ref, account.key)
    }
    return { ref, attributes: { Arn: `arn:aws:s3:::${ref}` } }
  },
})
