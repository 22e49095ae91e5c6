import { RemovalPolicy } from 'aws-cdk-lib'
import * as kms from 'aws-cdk-lib/aws-kms'
import { Construct } from 'constructs'

/** One key per class of data: the rows (topics and databases), and the credentials. Undefined means AWS's own keys. */
export class Keys extends Construct {
  readonly rows: kms.IKey | undefined
  readonly credentials: kms.IKey | undefined

  constructor(scope: Construct, id: string, props: { customerManaged: boolean; keepsData: boolean }) {
    super(scope, id)
    if (!props.customerManaged) return
    const removalPolicy = props.keepsData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY
    this.rows = new kms.Key(this, 'Rows', {
      description: 'Rows of the pipeline: topics and databases',
      enableKeyRotation: true,
      removalPolicy,
    })
    this.credentials = new kms.Key(this, 'Credentials', {
      description: 'Credentials of the pipeline',
      enableKeyRotation: true,
      removalPolicy,
    })
  }
}
