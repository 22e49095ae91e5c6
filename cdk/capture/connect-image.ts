import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Platform } from 'aws-cdk-lib/aws-ecr-assets'
import * as ecs from 'aws-cdk-lib/aws-ecs'

/**
 * `public`: Debezium's public image. It is executed on one machine only, where the worker gets the connector and the
 * agent as well. `iam`: an image that is built from it and contains them (image/connector, agent). It logs in to MSK
 * with IAM and verifies RDS's certificate.
 */
export type ConnectImage = 'public' | 'iam'

/** This image loses rows when a task is restarted, so it must not be deployed without the agent. */
const PUBLIC = 'quay.io/debezium/connect:3.7.0.Final'

const folder = join(import.meta.dirname, 'image')

/** The image of the Connect task. Throws an Error when the folder lacks RDS's certificate authorities of the region. */
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
