import { accountMappings } from '#localstack/assembly/account-mappings.ts'
import { arn, type LocalAccount } from '#localstack/assembly/local-account.ts'
import type { FunctionLines } from '#localstack/function-lines.ts'
import { makeClustersApi } from './endpoint/clusters-api.ts'
import type { Service } from './endpoint/exchange.ts'
import { makeFunctionUpdateApi } from './endpoint/function-update-api.ts'
import { makeLogsApi } from './endpoint/logs-api.ts'
import { makeMappingsApi } from './endpoint/mappings-api.ts'
import { makeSecretListApi } from './endpoint/secret-list-api.ts'
import { makeStsApi } from './endpoint/sts-api.ts'

/**
 * The service that answers the calls which a user makes to the account with AWS's clients. Until `open` is called it
 * answers no request.
 */
export function makeAccountService(): { service: Service; open(account: LocalAccount, lines: FunctionLines): void } {
  let services: readonly Service[] = []
  return {
    async service(request) {
      for (const service of services) {
        const answer = await service(request)
        if (answer !== undefined) return answer
      }
      return undefined
    },
    open(account, lines) {
      services = servicesOf(account, lines)
    },
  }
}

function servicesOf(account: LocalAccount, lines: FunctionLines): Service[] {
  const { stack, functions, secrets, key, clusters } = account
  const since = new Date()
  return [
    makeMappingsApi(accountMappings(account), key),
    makeFunctionUpdateApi(functions, key),
    makeSecretListApi({ arns: secrets.arns, get: secrets.get, since }),
    makeClustersApi(() => [...clusters.values()]),
    makeLogsApi({
      lines,
      functions: () => functions.list().map(({ definition }) => definition.name),
      arnOf: (logGroup) => arn(stack, 'logs', `log-group:${logGroup}`),
      since,
      key,
    }),
    makeStsApi(stack.account),
  ]
}
