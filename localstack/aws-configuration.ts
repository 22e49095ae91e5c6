import { join } from 'node:path'
import { objectStoreUrl } from './assembly/local-account.ts'
import { writePrivately } from './private-file.ts'
import type { Settings } from './settings.ts'
import type { SigningKey } from './stack-key.ts'

/** The file in `directory` from which AWS's clients read the stack's region, endpoints and key. */
export const awsConfigurationFile = (directory: string): string => join(directory, 'aws.ini')

/** Writes region, endpoints and key in the format of AWS's clients, which read the file that AWS_CONFIG_FILE names. */
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
