import { Validations } from 'aws-cdk-lib'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import { Construct } from 'constructs'

/**
 * How functions and Connect reach AWS's own services: not at all (`none`, one machine), through a NAT gateway (`nat`,
 * cheapest), or through endpoints inside the network with no path to the internet (`endpoints`).
 */
export type Egress = 'none' | 'nat' | 'endpoints'

export type NetworkSettings =
  | { kind: 'new'; availabilityZones: string[]; egress: Egress }
  /**
   * A network that exists, with private subnets that reach AWS's services: one for each zone, in the order of the
   * zones.
   */
  | { kind: 'existing'; availabilityZones: string[]; vpcId: string; subnetIds: string[] }

/** The services the pipeline calls: secrets, brokers' addresses, invocations, and what Fargate needs to start a task. */
const CALLED = {
  SecretsManager: ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
  Kafka: ec2.InterfaceVpcEndpointAwsService.KAFKA,
  Lambda: ec2.InterfaceVpcEndpointAwsService.LAMBDA,
  Logs: ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
  ImageRegistry: ec2.InterfaceVpcEndpointAwsService.ECR,
  ImageLayers: ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
}

/** Private subnets in each zone; nothing in them has a public address. */
export class Network extends Construct {
  readonly vpc: ec2.IVpc
  readonly subnets: ec2.SubnetSelection
  readonly #egress: Egress | undefined

  constructor(scope: Construct, id: string, settings: NetworkSettings) {
    super(scope, id)
    if (settings.kind === 'existing') {
      const { vpcId, availabilityZones, subnetIds: isolatedSubnetIds } = settings
      this.vpc = ec2.Vpc.fromVpcAttributes(this, 'Vpc', { vpcId, availabilityZones, isolatedSubnetIds })
      this.subnets = { subnetType: ec2.SubnetType.PRIVATE_ISOLATED }
      return
    }
    Validations.of(this).acknowledge({
      id: 'CloudFormation-Validate::W3010',
      reason: 'MSK has no brokers in some zones: the stage names the ones to use',
    })
    const { egress, availabilityZones } = settings
    this.#egress = egress
    const subnetType = egress === 'nat' ? ec2.SubnetType.PRIVATE_WITH_EGRESS : ec2.SubnetType.PRIVATE_ISOLATED
    const inside = { name: 'inside', subnetType }
    const vpc = new ec2.Vpc(this, 'Vpc', {
      availabilityZones,
      natGateways: egress === 'nat' ? 1 : 0,
      subnetConfiguration:
        egress === 'nat' ? [inside, { name: 'egress', subnetType: ec2.SubnetType.PUBLIC, cidrMask: 28 }] : [inside],
    })
    // CDK's classes do not fit its own interfaces, because of an optional property.
    this.vpc = vpc as ec2.IVpc
    this.subnets = { subnetType }
    if (egress === 'endpoints') addEndpoints(vpc, this.subnets)
  }

  /** Makes one more service of AWS reachable, if nothing else leads to it. */
  reach(id: string, service: ec2.IInterfaceVpcEndpointService): void {
    if (this.#egress === 'endpoints') this.vpc.addInterfaceEndpoint(id, { service, subnets: this.subnets })
  }
}

function addEndpoints(vpc: ec2.Vpc, subnets: ec2.SubnetSelection): void {
  for (const [id, service] of Object.entries(CALLED)) vpc.addInterfaceEndpoint(id, { service, subnets })
  // Image layers, and the presigned URL by which a custom resource answers CloudFormation, are in S3.
  vpc.addGatewayEndpoint('ObjectStore', { service: ec2.GatewayVpcEndpointAwsService.S3, subnets: [subnets] })
}
