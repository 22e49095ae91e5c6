/** How clients log in to a broker: TLS where `tls` is there, with what a PEM text is needed for; nothing is plain text. */
export type BrokerAccess = {
  sasl?: { mechanism: SaslMechanism; username: string; password: string }
  tls?: { ca?: string; cert?: string; key?: string; passphrase?: string }
}

export type SaslMechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
