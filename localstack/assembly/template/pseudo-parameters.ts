import { arn } from '../local-account.ts'
import type { Stack } from './template.ts'

const values: Readonly<Record<string, (stack: Stack) => unknown>> = {
  'AWS::AccountId': ({ account }) => account,
  'AWS::NotificationARNs': () => [],
  'AWS::NoValue': () => undefined,
  'AWS::Partition': () => 'aws',
  'AWS::Region': ({ region }) => region,
  'AWS::StackId': (stack) => arn(stack, 'cloudformation', `stack/${stack.name}/local`),
  'AWS::StackName': ({ name }) => name,
  'AWS::URLSuffix': () => 'amazonaws.com',
}

/** Names to which CloudFormation gives a value without a declaration. */
export const pseudoParameters: ReadonlySet<string> = new Set(Object.keys(values))

/** The value of a pseudo parameter; undefined for any other name. */
export const pseudoParameter = (name: string, stack: Stack): unknown => values[name]?.(stack)
