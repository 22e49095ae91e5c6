import { join } from 'node:path'
import { objectStoreUrl } from './assembly/local-account.ts'
import { writePrivately } from './private-file.ts'
import type { Settings } from './settings.ts'
import type { SigningKey } from './stack-key.ts'

/** Where a stack kept in `directory` leaves what AWS's clients have to know of it. */
export const awsConfigurationFile = (directory: string): string => join(directory, 'aws.ini')

/** Writes region, endpoints and key as AWS's clients read them, when AWS_CONFIG_FILE names the file. */
export async function writeAwsConfiguration(settings: Settings, url: string, key: SigningKey): Promise<void> {
  const lines = [
    '[default]',
    'region = us-east-1',
    `aws_access_key_id = ${key.accessKeyId}`,
    `aws_secret_access_key = ${key.secretAccessKey}`,
    `endpoint_url = ${url}`,
    'services = tidemark',
    's3 =',
    '  addressing_style = path',
    '',
    '[services tidemark]',
    's3 =',
    `  endpoint_url = ${objectStoreUrl(settings)}`,
    '',
  ]
  await writePrivately(awsConfigurationFile(settings.directory), lines.join('\n'))
}
