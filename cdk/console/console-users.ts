import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib'
import { HttpUserPoolAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers'
import * as cognito from 'aws-cdk-lib/aws-cognito'
import { Construct } from 'constructs'

export type ConsoleUsersProps = {
  /** Name of the stage, with which the names of resources end. */
  stage: string
  /** Whether resources that hold data stay when the stack is deleted. */
  keepsData: boolean
}

/** The people who may use the console: an administrator adds them, nobody signs up, and each needs a second factor. */
export class ConsoleUsers extends Construct {
  /** The server on which users sign in: `https://…`. */
  readonly url: string
  readonly #pool: cognito.UserPool

  constructor(scope: Construct, id: string, { stage, keepsData }: ConsoleUsersProps) {
    super(scope, id)
    this.#pool = new cognito.UserPool(this, 'Pool', {
      userPoolName: `tidemark-${stage}-console`,
      selfSignUpEnabled: false,
      signInAliases: { email: true },
      signInCaseSensitive: false,
      accountRecovery: cognito.AccountRecovery.EMAIL_ONLY,
      mfa: cognito.Mfa.REQUIRED,
      mfaSecondFactor: { otp: true, sms: false },
      passwordPolicy: { minLength: 14, tempPasswordValidity: Duration.days(3) },
      deletionProtection: keepsData,
      removalPolicy: keepsData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    })
    const { account, region } = Stack.of(this)
    const domainPrefix = `tidemark-${stage}-${account}`
    this.#pool.addDomain('Domain', { cognitoDomain: { domainPrefix } })
    this.url = `https://${domainPrefix}.auth.${region}.amazoncognito.com`
  }

  /**
   * Lets the users of the page at this address sign in. The page is a public client: it keeps no secret, and proves by
   * PKCE that it is the one that began to sign in.
   */
  admitFrom(pageUrl: string): { clientId: string; authorizer: HttpUserPoolAuthorizer } {
    const client = this.#pool.addClient('Page', {
      generateSecret: false,
      oAuth: {
        flows: { authorizationCodeGrant: true },
        scopes: [cognito.OAuthScope.OPENID, cognito.OAuthScope.EMAIL],
        callbackUrls: [`${pageUrl}/`],
        logoutUrls: [`${pageUrl}/`],
      },
      preventUserExistenceErrors: true,
      idTokenValidity: Duration.hours(1),
      accessTokenValidity: Duration.hours(1),
      refreshTokenValidity: Duration.hours(12),
    })
    const authorizer = new HttpUserPoolAuthorizer('Users', this.#pool, { userPoolClients: [client] })
    return { clientId: client.userPoolClientId, authorizer }
  }
}
