import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Platform } from 'aws-cdk-lib/aws-ecr-assets'
import * as ecs from 'aws-cdk-lib/aws-ecs'

/**
 * Debezium's public image, only ever executed locally, where the worker is given the connector and the agent as well; or one
 * built from it that holds them (image/connector, agent), logs in to MSK with IAM and verifies RDS's certificate.
 */
export type ConnectImage = 'public' | 'iam'

/** Loses rows when a task is restarted: not to be deployed without the agent. */
const PUBLIC = 'quay.io/debezium/connect:3.7.0.Final'

const folder = join(import.meta.dirname, 'image')

/** The image of the Connect task; throws where the folder lacks RDS's certificate authorities of the region. */
export function connectImage(image: ConnectImage, region: string): ecs.ContainerImage {
  if (image === 'public') return ecs.ContainerImage.fromRegistry(PUBLIC)
  const authorities = join('rds-ca', `${region}.pem`)
  if (!existsSync(join(folder, authorities))) {
    throw new Error(
      `${authorities} is missing in cdk/capture/image: save https://truststore.pki.rds.amazonaws.com/${region}/${region}-bundle.pem there`,
    )
  }
  return ecs.ContainerImage.fromAsset(folder, {
    platform: Platform.LINUX_ARM64,
    buildArgs: { REGION: region },
    exclude: ['pom.xml', '.gitignore', 'connector', 'target/*', '!target/*.jar'],
  })
}
