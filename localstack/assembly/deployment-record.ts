import { readFile } from 'node:fs/promises'
import { writePrivately } from '#localstack/private-file.ts'

/** What CloudFormation remembers of a custom resource between deployments. */
export type CustomResourceRecord = {
  type: string
  serviceToken: string
  physicalId: string
  properties: Record<string, unknown>
  data: Record<string, unknown>
}

/** The custom resources of earlier deployments. The record is kept between runs. */
export type DeploymentRecord = {
  get: (id: string) => CustomResourceRecord | undefined
  ids: () => string[]
  set: (id: string, record: CustomResourceRecord) => Promise<void>
  delete: (id: string) => Promise<void>
}

/**
 * Opens the record that is kept in `file`. Only the file's owner can read it, because properties of resources may be
 * confidential.
 */
export async function openDeploymentRecord(file: string): Promise<DeploymentRecord> {
  const records = new Map<string, CustomResourceRecord>(Object.entries(await read(file)))
  let saved = Promise.resolve()
  const save = (): Promise<void> => {
    saved = saved.then(() => writePrivately(file, JSON.stringify(Object.fromEntries(records), null, 2)))
    return saved
  }
  return {
    get: (id) => records.get(id),
    ids: () => [...records.keys()],
    set: (id, record) => {
      records.set(id, record)
      return save()
    },
    delete: (id) => {
      records.delete(id)
      return save()
    },
  }
}

async function read(file: string): Promise<Record<string, CustomResourceRecord>> {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
}
