import { headerOf, type Request, type Response } from './exchange.ts'

/** The calls that the endpoint of the embedded stack serves. */
const servedCalls = [
  'of Lambda Invoke, ListFunctions, GetFunction, GetFunctionConfiguration, UpdateFunctionConfiguration and',
  'ListEventSourceMappings, GetEventSourceMapping, CreateEventSourceMapping, UpdateEventSourceMapping,',
  'DeleteEventSourceMapping; of Secrets Manager GetSecretValue, ListSecrets, DescribeSecret; of MSK GetBootstrapBrokers,',
  'ListClusters, ListClustersV2, DescribeCluster, DescribeClusterV2; of CloudWatch Logs DescribeLogGroups,',
  'DescribeLogStreams, FilterLogEvents, GetLogEvents; of STS GetCallerIdentity',
].join(' ')

/**
 * The response to an AWS call without a local meaning. It names service and action, so that the cause of the failure is
 * clear.
 */
export function refuseUnknownCall(request: Request): Response {
  const message = `${describeCall(request)} is not served locally. Served are ${servedCalls}.`
  const headers = { 'x-amzn-ErrorType': 'NotImplemented' }
  if (!speaksXml(request)) return { status: 501, headers, body: { __type: 'NotImplemented', message } }
  const error = `<Error><Code>NotImplemented</Code><Message>${escapeXml(message)}</Message></Error>`
  const body = serviceOf(request) === 's3' ? error : `<ErrorResponse>${error}</ErrorResponse>`
  return { status: 501, headers: { ...headers, 'Content-Type': 'application/xml' }, body }
}

function describeCall(request: Request): string {
  const target = headerOf(request, 'x-amz-target')
  const form = speaksXml(request) ? new URLSearchParams(request.body.toString()).get('Action') : undefined
  const action = target?.split('.').at(-1) ?? form ?? `${request.method} ${request.path}`
  const service = serviceOf(request) ?? target?.split('.')[0]
  return service === undefined ? action : `AWS service ${service}, action ${action},`
}

/** The service for which a request is signed. */
function serviceOf(request: Request): string | undefined {
  return /Credential=[^/]*\/\d*\/[^/]*\/([^/]+)\/aws4_request/.exec(headerOf(request, 'authorization') ?? '')?.[1]
}

function speaksXml(request: Request): boolean {
  const form = headerOf(request, 'content-type')?.startsWith('application/x-www-form-urlencoded') ?? false
  return form || serviceOf(request) === 's3'
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
