import { createSign, generateKeyPairSync, type KeyObject, randomBytes, X509Certificate } from 'node:crypto'

/** An identity as PEM texts: its certificate, and its private key in PKCS#8. */
export type Identity = { certificate: string; privateKey: string }

/** Issues certificates for servers and clients of one machine. */
export type CertificateAuthority = {
  /** The certificate that clients have to trust, as PEM text. */
  certificate: string
  /** Its private key in PKCS#8, with which it can be opened again. */
  privateKey: string
  /**
   * Issues a certificate for a server at one of `addresses`, which are names or IPv4 addresses. Without addresses it is
   * for a client.
   */
  issue(commonName: string, addresses?: string[]): Identity
}

const oid = {
  commonName: '2.5.4.3',
  keyUsage: '2.5.29.15',
  alternativeNames: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
}

const tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  dnsName: 0x82,
  ipAddress: 0x87,
  version: 0xa0,
  extensions: 0xa3,
}

const validForMs = 10 * 365 * 86_400_000
/** Certificates are valid from an hour ago, because the clocks of two processes may differ. */
const validSinceMs = 3_600_000

/** Makes a new authority, or opens the one of an earlier run. Keys are ECDSA P-256; certificates follow RFC 5280. */
export function makeCertificateAuthority(commonName: string, known?: Identity): CertificateAuthority {
  const self = known ?? signItself(commonName)
  return {
    ...self,
    issue(subject, addresses = []) {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const extensions = [extension(oid.keyUsage, keyUsage(0x80))]
      if (addresses.length > 0) extensions.push(extension(oid.alternativeNames, sequence(...addresses.map(address))))
      const issuer = /^CN=(.*)$/m.exec(new X509Certificate(self.certificate).subject)![1]!
      return {
        certificate: sign({ issuer, subject, key: publicKey, extensions }, self.privateKey),
        privateKey: pem(privateKey),
      }
    },
  }
}

function signItself(commonName: string): Identity {
  const { publicKey: key, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const isAuthority = sequence(der(tag.boolean, Buffer.of(0xff)))
  const extensions = [extension(oid.basicConstraints, isAuthority), extension(oid.keyUsage, keyUsage(0x06))]
  const certificate = sign({ issuer: commonName, subject: commonName, key, extensions }, privateKey)
  return { certificate, privateKey: pem(privateKey) }
}

type Content = { issuer: string; subject: string; key: KeyObject; extensions: Buffer[] }

function sign({ issuer, subject, key, extensions }: Content, signer: KeyObject | string): string {
  const algorithm = sequence(identifier(oid.ecdsaWithSha256))
  const now = Date.now()
  const content = sequence(
    der(tag.version, integer(Buffer.of(2))),
    integer(Buffer.concat([Buffer.of(0x01), randomBytes(15)])),
    algorithm,
    name(issuer),
    sequence(time(now - validSinceMs), time(now + validForMs)),
    name(subject),
    key.export({ type: 'spki', format: 'der' }),
    der(tag.extensions, sequence(...extensions)),
  )
  const signature = createSign('sha256').update(content).sign(signer)
  const bytes = sequence(content, algorithm, der(tag.bitString, Buffer.of(0), signature))
  const lines = bytes.toString('base64').match(/.{1,64}/g)!
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString()

const name = (commonName: string): Buffer =>
  sequence(der(tag.set, sequence(identifier(oid.commonName), der(tag.utf8, Buffer.from(commonName)))))

const extension = (id: string, value: Buffer): Buffer =>
  sequence(identifier(id), der(tag.boolean, Buffer.of(0xff)), der(tag.octetString, value))

/**
 * The extension keyUsage, from the first bits of its byte: 0x80 to sign, 0x06 to issue certificates and revocations.
 */
const keyUsage = (bits: number): Buffer => der(tag.bitString, Buffer.of(bits === 0x80 ? 7 : 1, bits))

function address(hostOrIp: string): Buffer {
  const isIp = /^\d+(\.\d+){3}$/.test(hostOrIp)
  return isIp
    ? der(tag.ipAddress, Buffer.from(hostOrIp.split('.').map(Number)))
    : der(tag.dnsName, Buffer.from(hostOrIp))
}

const time = (ms: number): Buffer =>
  der(tag.generalizedTime, Buffer.from(new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')))

const sequence = (...parts: Buffer[]): Buffer => der(tag.sequence, ...parts)

const integer = (bytes: Buffer): Buffer => der(tag.integer, bytes)

/** An object identifier in DER: its numbers in base 128, the first two in one. */
function identifier(dotted: string): Buffer {
  const [first, second, ...rest] = dotted.split('.').map(Number) as [number, number, ...number[]]
  const bytes = rest.flatMap((arc) => {
    const digits = [arc & 0x7f]
    for (let left = arc >> 7; left > 0; left >>= 7) digits.unshift(0x80 | (left & 0x7f))
    return digits
  })
  return der(tag.oid, Buffer.of(40 * first + second, ...bytes))
}

/** A value in DER: tag, length and content. */
function der(tagByte: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tagByte, ...size), content])
}
