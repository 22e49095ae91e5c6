import { appendFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { LocalAccount } from '#localstack/assembly/local-account.ts'
import { runToEnd } from '#localstack/processes/finished-process.ts'
import { assemblyDirectory } from '#localstack/synthesis.ts'
import { localCredentials } from './localstack-functions.ts'

const program = createRequire(import.meta.url).resolve('aws-cdk/bin/cdk')

/** The CDK's own command, with AWS's endpoint at `url`. */
export type CdkCli = {
  /** Creates the bucket of assets and the roles in the account. */
  bootstrap(): Promise<void>
  /** Creates or changes the stack of the assembly by change set. */
  deploy(): Promise<void>
}

type Account = Pick<LocalAccount, 'stack' | 'settings' | 'signal' | 'guard'>

/** The methods throw an Error with the command's last lines when it fails. `logFile` has its whole output. */
export function makeCdkCli(url: string, { stack, settings, signal, guard }: Account, logFile: string): CdkCli {
  const home = join(settings.directory, 'localstack')

  async function cdk(...args: string[]): Promise<void> {
    const flags = ['--app', assemblyDirectory(settings), '--ci', '--no-color', '--no-notices', '--no-version-reporting']
    const { code, output } = await runToEnd(process.execPath, [program, ...args, ...flags], {
      cwd: home,
      env: variables(url, stack.region, home),
      signal,
      guard,
    })
    await appendFile(logFile, output)
    if (code === 0) return
    throw new Error(`cdk ${args[0]} ended with exit code ${code}; the last of ${logFile}:\n${lastOf(output)}`)
  }

  return {
    bootstrap: () => cdk('bootstrap', `aws://${stack.account}/${stack.region}`),
    deploy: () => cdk('deploy', '--all', '--require-approval', 'never'),
  }
}

/** The command gets none of the user's own variables, because their credentials and endpoints lead to AWS. */
function variables(url: string, region: string, home: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    HOME: home,
    TMPDIR: join(home, 'tmp'),
    CDK_HOME: join(home, 'cdk'),
    CDK_DISABLE_CLI_TELEMETRY: 'true',
    AWS_ENDPOINT_URL: url,
    AWS_ENDPOINT_URL_S3: url,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: localCredentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: localCredentials.secretAccessKey,
    AWS_EC2_METADATA_DISABLED: 'true',
  }
}

const lastOf = (output: string): string => output.trim().split('\n').slice(-15).join('\n')
