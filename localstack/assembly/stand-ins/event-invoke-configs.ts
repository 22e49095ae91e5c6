import * as v from 'valibot'
import { functionNameOf } from '#localstack/lambda-host/bundle/function-definition.ts'
import { makeStandIn, number } from '../stand-in.ts'

const destination = v.optional(v.object({ Destination: v.string() }))

/** Sets how the function host handles asynchronous invocations of a function. */
export const eventInvokeConfig = makeStandIn({
  properties: {
    FunctionName: v.string(),
    Qualifier: v.literal('$LATEST', 'functions have the version $LATEST only here'),
    MaximumRetryAttempts: v.optional(number),
    MaximumEventAgeInSeconds: v.optional(number),
    DestinationConfig: v.optional(v.object({ OnSuccess: destination, OnFailure: destination }), {}),
  },
  bringUp: (id, { FunctionName, ...properties }, { functions, stack }) => {
    const { MaximumRetryAttempts: maximumRetryAttempts, MaximumEventAgeInSeconds: maximumEventAgeSeconds } = properties
    const { OnSuccess, OnFailure } = properties.DestinationConfig
    functions.configureEvents(functionNameOf(FunctionName) ?? FunctionName, {
      ...(maximumRetryAttempts !== undefined && { maximumRetryAttempts }),
      ...(maximumEventAgeSeconds !== undefined && { maximumEventAgeSeconds }),
      ...(OnSuccess && { onSuccess: OnSuccess.Destination }),
      ...(OnFailure && { onFailure: OnFailure.Destination }),
    })
    return { ref: `${stack.name}-${id}` }
  },
})
