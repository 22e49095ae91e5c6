/** `<location>/data/kafka_ts_day=2026-11-27/<name>.parquet`. `day` is in days since 1970. */
export function dataFileUrl(location: string, day: number, name: string): string {
  const date = new Date(day * 86_400_000).toISOString().slice(0, 10)
  return `${withoutSlash(location)}/data/kafka_ts_day=${date}/${name}.parquet`
}

/** The name of a file into which others are joined. */
export const joinedFileName = (unique: string): string => `joined-${unique}`

/** Whether a data file was joined from several files. Each of its row groups is sorted, but not the whole file. */
export const isJoinedFile = (url: string): boolean => /\/joined-[^/]*$/.test(url)

/** `<location>/metadata/<name>.avro`. */
export const metadataUrl = (location: string, name: string): string => `${withoutSlash(location)}/metadata/${name}.avro`

const withoutSlash = (location: string): string => location.replace(/\/+$/, '')
