import type { Service } from './exchange.ts'
import { restError } from './signed-calls.ts'

/** An MSK cluster that runs. */
export type Cluster = {
  arn: string
  name: string
  brokers: number
  kafkaVersion: string
  isSecure: boolean
  since: Date
}

const path = /^\/(?<version>v1|api\/v2)\/clusters(?:\/(?<arn>arn:[^/]+\/.+?))?\/?$/

/** MSK's ListClusters, ListClustersV2, DescribeCluster and DescribeClusterV2. */
export function makeClustersApi(clusters: () => Cluster[]): Service {
  return (request) => {
    const match = path.exec(request.path)
    if (request.method !== 'GET' || match === null || request.path.endsWith('/bootstrap-brokers')) return undefined
    const { version, arn } = match.groups!
    const describe: (cluster: Cluster) => object = version === 'v1' ? describeV1 : describeV2
    if (arn !== undefined) {
      const found = clusters().find((each) => each.arn === arn)
      if (found === undefined) return restError(404, 'NotFoundException', `There is no cluster ${arn}.`)
      return { status: 200, body: { clusterInfo: describe(found) } }
    }
    const prefix = request.query.get('clusterNameFilter') ?? ''
    const listed = clusters().filter(({ name }) => name.startsWith(prefix))
    return { status: 200, body: { clusterInfoList: listed.map(describe) } }
  }
}

const describeCluster = ({ arn, name, since }: Cluster) => ({
  clusterArn: arn,
  clusterName: name,
  creationTime: since.toISOString(),
  currentVersion: '1',
  state: 'ACTIVE',
  tags: {},
})

const describeBrokers = ({ brokers, kafkaVersion, isSecure }: Cluster) => ({
  numberOfBrokerNodes: brokers,
  currentBrokerSoftwareInfo: { kafkaVersion },
  clientAuthentication: {
    sasl: { scram: { enabled: isSecure }, iam: { enabled: false } },
    unauthenticated: { enabled: !isSecure },
  },
  encryptionInfo: { encryptionInTransit: { clientBroker: isSecure ? 'TLS' : 'PLAINTEXT', inCluster: isSecure } },
  enhancedMonitoring: 'DEFAULT',
  storageMode: 'LOCAL',
})

const describeV1 = (cluster: Cluster) => ({ ...describeCluster(cluster), ...describeBrokers(cluster) })

const describeV2 = (cluster: Cluster) => ({
  ...describeCluster(cluster),
  clusterType: 'PROVISIONED',
  provisioned: describeBrokers(cluster),
})
