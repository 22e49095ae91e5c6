import { join } from 'node:path'
import * as v from 'valibot'
import { makePrivateDirectory } from '#localstack/private-file.ts'
import { whileUnderWay } from '#localstack/progress.ts'
import { startConnect } from '#localstack/servers/connect/connect.ts'
import { secretValue } from '../dynamic-reference.ts'
import { arn, connectLogin } from '../local-account.ts'
import { localOverrides } from '../local-overrides.ts'
import { makeStandIn, number } from '../stand-in.ts'

const container = v.strictObject({
  Name: v.string(),
  Image: v.pipe(v.string(), v.regex(/\/debezium\/connect:/, 'the only container with a stand-in is debezium/connect')),
  Environment: v.optional(v.array(v.object({ Name: v.string(), Value: v.string() })), []),
  Secrets: v.optional(v.array(v.object({ Name: v.string(), ValueFrom: v.string() })), []),
})

/** Stores the container's variables, with the secrets filled in, for the service that runs the container. */
export const taskDefinition = makeStandIn({
  properties: { Family: v.string(), ContainerDefinitions: v.tuple([container]) },
  ignores: [
    'ContainerDefinitions.Essential',
    'ContainerDefinitions.HealthCheck',
    'ContainerDefinitions.LogConfiguration',
    'ContainerDefinitions.PortMappings',
    'Cpu',
    'ExecutionRoleArn',
    'Memory',
    'NetworkMode',
    'RequiresCompatibilities',
    'RuntimePlatform',
    'Tags',
    'TaskRoleArn',
  ],
  attributes: ['TaskDefinitionArn'],
  bringUp: (_id, { Family, ContainerDefinitions: [{ Environment, Secrets }] }, { stack, containers, secrets }) => {
    const ref = arn(stack, 'ecs', `task-definition/${Family}:1`)
    containers.set(ref, {
      ...Object.fromEntries(Environment.map(({ Name, Value }) => [Name, Value])),
      ...Object.fromEntries(Secrets.map(({ Name, ValueFrom }) => [Name, secretValue(ValueFrom, secrets)])),
    })
    return { ref, attributes: { TaskDefinitionArn: ref } }
  },
})

/** A real Connect worker. */
export const service = makeStandIn({
  properties: { TaskDefinition: v.string(), DesiredCount: v.pipe(number, v.literal(1)) },
  ignores: [
    'Cluster',
    'DeploymentConfiguration',
    'DeploymentController',
    'EnableECSManagedTags',
    'EnableExecuteCommand',
    'HealthCheckGracePeriodSeconds',
    'LaunchType',
    'NetworkConfiguration',
    'PlatformVersion',
    'ServiceRegistries',
    'Tags',
  ],
  attributes: ['Name', 'ServiceArn'],
  bringUp: async (id, { TaskDefinition }, account) => {
    const { settings, stack, containers, workers, step, guard, signal } = account
    const logs = join(settings.directory, 'logs')
    await makePrivateDirectory(logs)
    const started = await step('connect', async (report) =>
      startConnect({
        onWaiting: whileUnderWay(report),
        guard,
        signal,
        ...(await account.java),
        withoutCorrections: process.env['TIDEMARK_WITHOUT_CORRECTIONS'] ?? '',
        directory: join(settings.directory, 'connect'),
        port: settings.connectPort,
        environment: containers.get(TaskDefinition)!,
        login: connectLogin(account.key),
        overrides: localOverrides['AWS::ECS::Service'](settings),
        logFile: join(logs, 'connect.log'),
      }),
    )
    workers.push(started)
    const name = `${stack.name}-${id}`
    const ref = arn(stack, 'ecs', `service/${name}`)
    return { ref, attributes: { Name: name, ServiceArn: ref } }
  },
})

/** Stores the namespace's name, which its services need. */
export const privateDnsNamespace = makeStandIn({
  properties: { Name: v.string() },
  ignores: ['Description', 'Properties', 'Tags', 'Vpc'],
  attributes: ['Id', 'Arn'],
  bringUp: (id, { Name }, { stack, namespaces }) => {
    const ref = `ns-${id.toLowerCase()}`
    namespaces.set(ref, Name)
    return { ref, attributes: { Id: ref, Arn: arn(stack, 'servicediscovery', `namespace/${ref}`) } }
  },
})

/**
 * A network name. When a function's variable contains it with its port, the function gets the port on loopback instead.
 */
export const discoveredService = makeStandIn({
  properties: { Name: v.string(), NamespaceId: v.string() },
  ignores: ['Description', 'DnsConfig', 'HealthCheckConfig', 'HealthCheckCustomConfig', 'Tags', 'Type'],
  attributes: ['Id', 'Name', 'Arn'],
  bringUp: (id, { Name, NamespaceId }, { stack, settings, namespaces, addresses }) => {
    const places = localOverrides['AWS::ServiceDiscovery::Service'](settings)
    for (const [port, address] of Object.entries(places)) {
      addresses.set(`${Name}.${namespaces.get(NamespaceId)}:${port}`, address)
    }
    const ref = `srv-${id.toLowerCase()}`
    return { ref, attributes: { Id: ref, Name, Arn: arn(stack, 'servicediscovery', `service/${ref}`) } }
  },
})
