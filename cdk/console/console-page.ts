import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import * as cloudfront from 'aws-cdk-lib/aws-cloudfront'
import { HttpOrigin, S3BucketOrigin } from 'aws-cdk-lib/aws-cloudfront-origins'
import * as s3 from 'aws-cdk-lib/aws-s3'
import * as deployment from 'aws-cdk-lib/aws-s3-deployment'
import { Construct } from 'constructs'

export type ConsolePageProps = {
  /** The directory with the built page. */
  directory: string
  /** The API, which is served under the page's own address, so that no other origin is involved. */
  apiDomainName: string
  /** The server on which users sign in: `https://…`. */
  signInUrl: string
}

/** Every path that names no file is a screen of the page. This code runs at the edge. */
const SHOW_PAGE = `function handler(event) {
  var request = event.request
  var isFile = /^\\/(assets\\/.*|[^/]+\\.(ico|json|png|svg|txt|webmanifest))$/.test(request.uri)
  if (!isFile) request.uri = '/index.html'
  return request
}`

/** The page in a private bucket, which CloudFront alone reads, with the API beside it. */
export class ConsolePage extends Construct {
  /** `https://…`, without a path. */
  readonly url: string
  readonly #bucket: s3.IBucket
  readonly #distribution: cloudfront.Distribution
  readonly #directory: string

  constructor(scope: Construct, id: string, { directory, apiDomainName, signInUrl }: ConsolePageProps) {
    super(scope, id)
    this.#directory = directory
    this.#bucket = new s3.Bucket(this, 'Bucket', {
      encryption: s3.BucketEncryption.S3_MANAGED,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      // It holds nothing but the page, which every deployment writes again.
      removalPolicy: RemovalPolicy.DESTROY,
      // CDK's classes do not fit its own interfaces, because of an optional property.
    }) as s3.IBucket
    const headers = secureHeaders(this, signInUrl)
    this.#distribution = new cloudfront.Distribution(this, 'Distribution', {
      comment: 'The console of Tidemark',
      defaultRootObject: 'index.html',
      minimumProtocolVersion: cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
      httpVersion: cloudfront.HttpVersion.HTTP2_AND_3,
      priceClass: cloudfront.PriceClass.PRICE_CLASS_100,
      defaultBehavior: {
        origin: S3BucketOrigin.withOriginAccessControl(this.#bucket),
        viewerProtocolPolicy: cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
        responseHeadersPolicy: headers,
        functionAssociations: [
          {
            eventType: cloudfront.FunctionEventType.VIEWER_REQUEST,
            function: new cloudfront.Function(this, 'ShowPage', {
              code: cloudfront.FunctionCode.fromInline(SHOW_PAGE),
              runtime: cloudfront.FunctionRuntime.JS_2_0,
            }),
          },
        ],
      },
      additionalBehaviors: {
        '/api/*': {
          origin: new HttpOrigin(apiDomainName, { protocolPolicy: cloudfront.OriginProtocolPolicy.HTTPS_ONLY }),
          viewerProtocolPolicy: cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
          allowedMethods: cloudfront.AllowedMethods.ALLOW_ALL,
          cachePolicy: cloudfront.CachePolicy.CACHING_DISABLED,
          originRequestPolicy: cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
          responseHeadersPolicy: headers,
        },
      },
    })
    this.url = `https://${this.#distribution.distributionDomainName}`
  }

  /** Deploys the page with a file that says where its users sign in. */
  deploy(signIn: { readonly url: string; readonly clientId: string }): void {
    new deployment.BucketDeployment(this, 'Files', {
      sources: [deployment.Source.asset(this.#directory), deployment.Source.jsonData('sign-in.json', signIn)],
      destinationBucket: this.#bucket,
      distribution: this.#distribution,
      memoryLimit: 256,
    })
  }
}

/** The same headers as those of the local server, and HTTPS for ever. */
function secureHeaders(scope: Construct, signInUrl: string): cloudfront.ResponseHeadersPolicy {
  return new cloudfront.ResponseHeadersPolicy(scope, 'Headers', {
    securityHeadersBehavior: {
      contentSecurityPolicy: {
        contentSecurityPolicy: [
          "default-src 'none'",
          "script-src 'self'",
          "style-src 'self'",
          "img-src 'self' data:",
          "font-src 'self'",
          `connect-src 'self' ${signInUrl}`,
          "manifest-src 'self'",
          "form-action 'none'",
          "base-uri 'none'",
          "frame-ancestors 'none'",
        ].join('; '),
        override: true,
      },
      contentTypeOptions: { override: true },
      frameOptions: { frameOption: cloudfront.HeadersFrameOption.DENY, override: true },
      referrerPolicy: { referrerPolicy: cloudfront.HeadersReferrerPolicy.NO_REFERRER, override: true },
      strictTransportSecurity: { accessControlMaxAge: Duration.days(365), includeSubdomains: true, override: true },
    },
    customHeadersBehavior: {
      customHeaders: [
        { header: 'cross-origin-opener-policy', value: 'same-origin', override: true },
        { header: 'cross-origin-resource-policy', value: 'same-origin', override: true },
      ],
    },
  })
}
