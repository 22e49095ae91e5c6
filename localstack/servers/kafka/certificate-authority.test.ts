import { createPrivateKey, X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { makeCertificateAuthority } from './certificate-authority.ts'

test('a server is known by its addresses, and signed by the authority', () => {
  const authority = makeCertificateAuthority('authority')

  const { certificate, privateKey } = authority.issue('broker', ['127.0.0.1', 'localhost'])

  const server = new X509Certificate(certificate)
  const root = new X509Certificate(authority.certificate)
  expect(server.checkIssued(root)).toBe(true)
  expect(server.verify(root.publicKey)).toBe(true)
  expect(server.checkPrivateKey(createPrivateKey(privateKey))).toBe(true)
  expect([server.checkIP('127.0.0.1'), server.checkHost('localhost')]).toEqual(['127.0.0.1', 'localhost'])
  expect([server.checkIP('127.0.0.2'), server.checkHost('example.org')]).toEqual([undefined, undefined])
  expect([root.ca, server.ca]).toEqual([true, false])
  expect(server.validFromDate.getTime()).toBeLessThan(Date.now())
  expect(server.validToDate.getTime()).toBeGreaterThan(Date.now() + 9 * 365 * 86_400_000)
})

test('an authority of an earlier run goes on', () => {
  const { certificate, privateKey } = makeCertificateAuthority('authority')

  const again = makeCertificateAuthority('another name', { certificate, privateKey })

  const root = new X509Certificate(certificate)
  const client = new X509Certificate(again.issue('client').certificate)
  expect(again.certificate).toBe(certificate)
  expect([client.checkIssued(root), client.verify(root.publicKey)]).toEqual([true, true])
})
