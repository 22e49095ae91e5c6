import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { secretsOf } from '#localstack/assembly/existing-databases.ts'
import { CONNECT_SECRET, connectLogin, type LocalAccount, serviceUrls } from '#localstack/assembly/local-account.ts'
import { localVariables } from '#localstack/assembly/stand-ins/functions.ts'
import type { Deployer } from '#localstack/open-stack.ts'
import type { RunningService } from '#localstack/processes/supervise.ts'
import { whileUnderWay } from '#localstack/progress.ts'
import type { Settings } from '#localstack/settings.ts'
import { makeCdkCli } from './cdk-cli.ts'
import { startDiscovery } from './discovered-mappings.ts'
import { composeCommand } from './docker.ts'
import { forExtension } from './extension-requests.ts'
import { makeFunctionService } from './function-service.ts'
import { type FunctionVersions, makeFunctionVersions } from './function-versions.ts'
import { giveHeadStart } from './head-start.ts'
import { localCredentials, makeLambdaClient, makeLocalStackFunctions } from './localstack-functions.ts'
import { type LocalStackOptions, localStackUrl, pythonCommand, startLocalStack } from './localstack-server.ts'
import { installLocalStack, type Python } from './python.ts'
import { redeployAfterRestarts } from './redeployment.ts'
import { readOutputs } from './stack-outputs.ts'
import { makeStandInService } from './stand-in-service.ts'

/** What a deployment reports. */
export type LocalStackRecord = {
  /** How long the first start of each took: LocalStack until it answered, `cdk bootstrap` and `cdk deploy`. */
  took: { readySeconds: number; bootstrapSeconds: number; deploySeconds: number }
  server?: RunningService
}

/**
 * Makes a deployer that uses LocalStack. LocalStack has the resources and receives the invocations, and runs the
 * functions in processes of this engine. It runs on `python`, or as a container when that is undefined.
 */
export function makeLocalStackDeployer(
  settings: Settings,
  record: LocalStackRecord,
  python: Python | undefined,
): Deployer {
  const { localStackPort: port } = settings
  const url = localStackUrl(port)
  const token = randomUUID()
  let deployed: LocalAccount | undefined
  let versions: FunctionVersions | undefined
  const lambda = makeLambdaClient(url, 'us-east-1')
  const standIns = makeStandInService(() => deployed!)

  return {
    awsUrl: () => url,
    ports: [{ number: port, usedBy: 'LocalStack', variable: 'TIDEMARK_LOCALSTACK_PORT' }],
    functions: (host) => {
      versions = makeFunctionVersions({
        ...host,
        endpointUrl: url,
        // LocalStack's open core has no MSK, and loses the content of its buckets when it stops, so these are our own
        // servers.
        serviceUrls: { ...serviceUrls(settings), KAFKA: host.endpointUrl },
        localVariables: (variables) => localVariables(variables, deployed!),
      })
      return makeLocalStackFunctions(lambda, versions)
    },
    hasAccount: false,
    services: [
      forExtension(token, standIns.service),
      forExtension(token, (request) => makeFunctionService(versions!)(request)),
    ],
    async deploy(account, abort) {
      deployed = account
      const { step, signal, log } = account
      const cdk = makeCdkCli(url, account, join(settings.directory, 'logs', 'cdk.log'))
      // These calls are not made at once: LocalStack loads a service at its first call, and two services that load at
      // once can deadlock. The secrets of existing databases have to exist before the template is deployed.
      const prepare = async () => {
        await cdk.bootstrap()
        await createSecrets(url, account)
      }
      const startLocalStack = async () => {
        const server = await startServer(account, record, { python, token })
        await step('cdk bootstrap', () => timed('bootstrapSeconds', record, prepare))
        return server
      }
      const [server] = await allOrAbort(abort, [
        startLocalStack(),
        giveHeadStart(account, standIns.standInFor, abort),
      ] as const)

      const discovery = startDiscovery(lambda, account)
      account.schedules.push({ stop: () => void discovery.stop() })
      await step('cdk deploy', () => timed('deploySeconds', record, cdk.deploy)).catch((error) => {
        throw standIns.failure() ?? error
      })
      const outputs = await readOutputs(url, account.stack, signal)
      await discovery.look()

      const end = redeployAfterRestarts({
        ...{ server, signal },
        async deploy() {
          await versions!.clear()
          await prepare()
          await cdk.deploy()
        },
        onFailure: (error) => log('cdk', `${new Date().toISOString()} ${error.message}`),
      })
      account.schedules.push({ stop: () => void end() })
      return outputs
    },
  }
}

/**
 * Rejects with the first failure, after both have ended. `abort` is called at the first failure, so that the other ends
 * soon.
 */
async function allOrAbort<A, B>(
  abort: (reason: unknown) => void,
  work: readonly [Promise<A>, Promise<B>],
): Promise<[A, B]> {
  for (const each of work) each.catch(abort)
  await Promise.allSettled(work)
  return Promise.all(work)
}

async function createSecrets(url: string, { settings, stack, key }: LocalAccount): Promise<void> {
  const secrets = new SecretsManagerClient({ endpoint: url, region: stack.region, credentials: localCredentials })
  try {
    const values = [...secretsOf(settings), [CONNECT_SECRET, JSON.stringify(connectLogin(key))] as const]
    for (const [Name, SecretString] of values) {
      await secrets.send(new CreateSecretCommand({ Name, SecretString })).catch((error: Error) => {
        // An earlier attempt has created the secret.
        if (error.name !== 'ResourceExistsException') throw error
      })
    }
  } finally {
    secrets.destroy()
  }
}

async function startServer(
  account: LocalAccount,
  record: LocalStackRecord,
  { python, token }: { python: Python | undefined; token: string },
): Promise<RunningService> {
  const { settings, step, guard, signal, endpoint } = account
  const logs = join(settings.directory, 'logs')
  await mkdir(logs, { recursive: true })
  const directory = join(settings.directory, 'localstack')
  const command = python ? await installOn(python, account, directory) : composeCommand(directory)
  const server = await step('localstack', (report) => {
    report(localStackUrl(settings.localStackPort))
    const options = {
      ...{
        command,
        directory,
        guard,
        signal,
        port: settings.localStackPort,
        engineUrl: endpoint.url,
        engineToken: token,
      },
      onWaiting: whileUnderWay(report),
    }
    return timed('readySeconds', record, () => startLocalStack({ ...options, logFile: join(logs, 'localstack.log') }))
  })
  account.servers.push(server)
  record.server = server
  return server
}

async function installOn(
  python: Python,
  { step, signal, guard }: LocalAccount,
  directory: string,
): Promise<LocalStackOptions['command']> {
  const installed = await step('python', (report) => installLocalStack(python, { signal, guard, report }))
  return pythonCommand(installed, directory)
}

async function timed<T>(
  figure: keyof LocalStackRecord['took'],
  { took }: LocalStackRecord,
  work: () => Promise<T>,
): Promise<T> {
  const startedMs = performance.now()
  const result = await work()
  took[figure] = Math.round(performance.now() - startedMs) / 1_000
  return result
}
