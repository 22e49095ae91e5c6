/**
 * How clients log in to a broker. With `tls` the connection uses TLS, with the PEM texts that it needs. An empty object
 * means plain text without a login.
 */
export type BrokerAccess = {
  sasl?: { mechanism: SaslMechanism; username: string; password: string }
  tls?: { ca?: string; cert?: string; key?: string; passphrase?: string }
}

export type SaslMechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
