import { Lazy, RemovalPolicy } from 'aws-cdk-lib'
import type * as iam from 'aws-cdk-lib/aws-iam'
import * as kms from 'aws-cdk-lib/aws-kms'
import * as msk from 'aws-cdk-lib/aws-msk'
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager'
import { Construct } from 'constructs'
import { type KafkaOperation, type KafkaRight, type KafkaUser, RIGHTS } from './kafka-rights.ts'

/** Users of the brokers, each with a generated password and the least rights. */
export class KafkaLogins extends Construct {
  readonly #secrets = new Map<KafkaUser, secretsmanager.Secret>()
  readonly #rights: KafkaRight[] = []
  readonly #clusterName: string
  readonly #key: kms.IKey

  constructor(
    scope: Construct,
    id: string,
    props: { clusterName: string; clusterArn: string; key: kms.IKey | undefined },
  ) {
    super(scope, id)
    this.#clusterName = props.clusterName
    // MSK refuses secrets that are encrypted with the account's default key.
    this.#key =
      props.key ??
      new kms.Key(this, 'Key', {
        description: 'Logins of the brokers',
        enableKeyRotation: true,
        removalPolicy: RemovalPolicy.DESTROY,
      })
    const secretArns = () => [...this.#secrets.values()].map(({ secretArn }) => secretArn)
    const association = new msk.CfnBatchScramSecret(this, 'Association', {
      clusterArn: props.clusterArn,
      secretArnList: Lazy.list({ produce: secretArns }),
    })
    association.addMetadata(RIGHTS, Lazy.any({ produce: () => this.#rights }))
  }

  /** The user's secret: {username, password}. */
  secretOf(user: KafkaUser): secretsmanager.ISecret {
    const known = this.#secrets.get(user)
    if (known !== undefined) return known as secretsmanager.ISecret
    const secret = new secretsmanager.Secret(this, user, {
      // MSK only accepts secrets with this prefix.
      secretName: `AmazonMSK_${this.#clusterName}-${user}`,
      description: `Kafka user ${user}`,
      encryptionKey: this.#key,
      generateSecretString: {
        secretStringTemplate: JSON.stringify({ username: user }),
        generateStringKey: 'password',
        passwordLength: 40,
        excludePunctuation: true,
      },
    })
    this.#secrets.set(user, secret)
    return secret as secretsmanager.ISecret
  }

  /** Lets the client log in as the user. */
  grantLogin(user: KafkaUser, client: iam.IGrantable): void {
    this.secretOf(user).grantRead(client)
  }

  allow(user: KafkaUser, resource: KafkaRight['resource'], name: string, ...operations: KafkaOperation[]): void {
    this.#rights.push({ user, resource, name, operations })
  }
}
