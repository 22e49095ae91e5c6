import { expect, test } from 'vitest'
import { makeRequestSigner, type SignerOptions } from './sign-requests.ts'

const bucket = 'arn%3Aaws%3As3tables%3Aeu-central-1%3A123456789012%3Abucket%2Fchanges'

const options = (service: SignerOptions['service']): SignerOptions => ({
  service,
  region: 'eu-central-1',
  credentials: {
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
    sessionToken: 'session/token+=',
  },
  now: () => new Date('2026-11-27T12:00:00Z'),
})

/** The expected values are the signatures that botocore's SigV4Auth gives the same requests. */
test.each<[string, SignerOptions['service'], string, string, string | undefined, string]>([
  [
    "an ARN in the query, as S3 Tables' configuration is asked for",
    's3tables',
    'GET',
    `https://s3tables.eu-central-1.amazonaws.com/iceberg/v1/config?warehouse=${bucket}`,
    undefined,
    '78ee2159b7cd3ddd4c7c6fd1a3999d02211f59d83acea27aa2d6eed63207d0a2',
  ],
  [
    'an encoded ARN in the path and a body',
    's3tables',
    'POST',
    `https://s3tables.eu-central-1.amazonaws.com/iceberg/v1/${bucket}/namespaces/tidemark/tables/changes`,
    '{"a":"ü"}',
    'a7c7c741c1ef46598f9698a46779c99ebde51d1f63420d35e9f8e90f7da90359',
  ],
  [
    'signs in the path that a URL leaves as they are',
    'glue',
    'GET',
    "https://glue.eu-central-1.amazonaws.com/iceberg/v1/catalogs/123456789012:s3tablescatalog/x/namespaces/it's(a)*/tables",
    undefined,
    '51c09907039b3813308d36e0c915b84cf68142637a581ffe35e62a8a3664f47b',
  ],
])('%s is signed as AWS does it', async (_, service, method, url, body, signature) => {
  const sign = makeRequestSigner(options(service))
  const headers = {
    accept: 'application/json',
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  }

  const signed = await sign({ method, url: new URL(url), headers, body })

  expect(signed['authorization']).toContain(`Credential=AKIDEXAMPLE/20261127/eu-central-1/${service}/aws4_request`)
  expect(signed['authorization']).toContain(`Signature=${signature}`)
  expect(signed).toMatchObject({
    ...headers,
    'x-amz-date': '20261127T120000Z',
    'x-amz-security-token': 'session/token+=',
  })
})

test('without credentials nothing is signed', async () => {
  const sign = makeRequestSigner({
    ...options('glue'),
    credentials: () => Promise.reject(new Error('no role')),
  })

  const signed = sign({ method: 'GET', url: new URL('https://glue/x'), headers: {}, body: undefined })

  await expect(signed).rejects.toThrow('no role')
})
