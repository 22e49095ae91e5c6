import type { ClientBase, Pool } from 'pg'

/** The values that `tidemark.setting` of the source gets. */
export type SourceSetting = {
  readonly topicPartitions: number
  readonly captured: unknown
  readonly epoch: number
  /**
   * The newest generation that the target knows. A source that was restored from a backup must not use a known number
   * again.
   */
  readonly knownGeneration: number
}

/** The newest generation of any table that the target knows. */
export async function newestGeneration(target: ClientBase | Pool): Promise<number> {
  const { rows } = await target.query<{ generation: number }>('select tidemark.newest_generation() as generation')
  return rows[0]!.generation
}

/** Stores the setting, which takes effect at once. */
export async function configureSource(source: ClientBase | Pool, setting: SourceSetting): Promise<void> {
  const { topicPartitions, captured, epoch, knownGeneration } = setting
  await source.query('select tidemark.configure($1, $2, $3, $4)', [
    topicPartitions,
    JSON.stringify(captured),
    epoch,
    knownGeneration,
  ])
}
