import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type LocalAccount, serviceUrls } from '#localstack/assembly/local-account.ts'
import { onLoopback } from '#localstack/assembly/stand-ins/functions.ts'
import { type Engine, type EngineOptions, startEngine } from '#localstack/engine.ts'
import type { Deployer } from '#localstack/open-stack.ts'
import { residentBytes } from '#localstack/resident-memory.ts'
import type { RunningService } from '#localstack/servers/supervise.ts'
import type { Settings } from '#localstack/settings.ts'
import { makeCdkCli } from './cdk-cli.ts'
import { startDiscovery } from './discovered-mappings.ts'
import { makeFunctionService } from './function-service.ts'
import { type FunctionVersions, makeFunctionVersions } from './function-versions.ts'
import { makeLambdaClient, makeLocalStackFunctions } from './localstack-functions.ts'
import { localStackUrl, startLocalStack } from './localstack-server.ts'
import { findPython, installLocalStack } from './python.ts'
import { makeStandInService } from './stand-in-service.ts'

/** What is known of LocalStack itself. */
export type LocalStackFigures = {
  /** AWS_ENDPOINT_URL of its clients. */
  url: string
  /** From its start until it answered, of `cdk bootstrap` and of `cdk deploy`. */
  readySeconds: number
  bootstrapSeconds: number
  deploySeconds: number
  /** Its process, without the functions: those are the engine's. */
  residentBytes: number
}

/** A stack whose resources LocalStack has created by CloudFormation. */
export type LocalStackEngine = Engine & { localStack(): Promise<LocalStackFigures> }

/**
 * Starts LocalStack, deploys the synthesized app to it with the CDK's own command, and polls the mappings it lists. What its
 * open core lacks is brought up by the embedded engine's stand-ins, in the same directories. Throws as `startEngine` does.
 */
export async function startLocalStackEngine(options: EngineOptions): Promise<LocalStackEngine> {
  const took = { readySeconds: 0, bootstrapSeconds: 0, deploySeconds: 0 }
  const state: { server?: RunningService } = {}
  const engine = await startEngine(options, makeLocalStackDeployer(options.settings, took, state))
  return {
    ...engine,
    localStack: async () => ({
      url: localStackUrl(options.settings.localStackPort),
      ...took,
      residentBytes: await residentBytes(state.server!.health().pid ?? 0),
    }),
  }
}

function makeLocalStackDeployer(
  settings: Settings,
  took: Omit<LocalStackFigures, 'url' | 'residentBytes'>,
  state: { server?: RunningService },
): Deployer {
  const url = localStackUrl(settings.localStackPort)
  const lambda = makeLambdaClient(url, 'us-east-1')
  let deployed: LocalAccount | undefined
  let versions: FunctionVersions | undefined
  const standIns = makeStandInService(() => deployed!)

  async function timed<T>(figure: keyof typeof took, work: () => Promise<T>): Promise<T> {
    const startedMs = performance.now()
    const result = await work()
    took[figure] = Math.round(performance.now() - startedMs) / 1_000
    return result
  }

  return {
    ports: [{ number: settings.localStackPort, usedBy: 'LocalStack', variable: 'TIDEMARK_LOCALSTACK_PORT' }],
    functions: (host) => {
      versions = makeFunctionVersions({
        ...host,
        endpointUrl: url,
        // LocalStack's open core has no MSK, and what is in its buckets is gone after a stop.
        serviceUrls: { ...serviceUrls(settings), KAFKA: host.endpointUrl },
        localVariables: (variables) => onLoopback(variables, deployed!.addresses),
      })
      return makeLocalStackFunctions(lambda, versions)
    },
    services: [standIns.service, (request) => makeFunctionService(versions!)(request)],
    async deploy(account) {
      deployed = account
      const { step, signal, guard, endpoint } = account
      const logs = join(settings.directory, 'logs')
      await mkdir(logs, { recursive: true })
      const python = await step('python', async (tell) =>
        installLocalStack(await findPython(process.env), { signal, tell }),
      )
      const directory = join(settings.directory, 'localstack')
      const server = await step('localstack', () =>
        timed('readySeconds', () =>
          startLocalStack({
            ...{ python, directory, guard, signal },
            port: settings.localStackPort,
            engineUrl: endpoint.url,
            logFile: join(logs, 'localstack.log'),
          }),
        ),
      )
      account.servers.push(server)
      state.server = server

      const cdk = makeCdkCli(url, account, join(logs, 'cdk.log'))
      await step('cdk bootstrap', () => timed('bootstrapSeconds', cdk.bootstrap))
      const discovery = startDiscovery(lambda, account)
      account.schedules.push({ stop: () => void discovery.stop() })
      try {
        const outputs = await step('cdk deploy', () => timed('deploySeconds', cdk.deploy))
        await discovery.look()
        return outputs
      } catch (error) {
        throw standIns.failure() ?? error
      }
    },
  }
}
