import { expect, test } from 'vitest'
import { MASK, maskConfiguration, maskText } from './connector-secrets.ts'

test.each([
  'database.password',
  'connection.password',
  'aws.secret.access.key',
  'aws.access.key.id',
  'sasl.jaas.config',
  'ssl.key.password',
  'ssl.keystore.key',
  'basic.auth.user.info',
  'header.authorization',
  'api_key',
  'apikey',
  'client.token',
  'oauth.client.credentials',
])('the value of %s is masked', (name) => {
  expect(maskConfiguration({ [name]: 'hunter2' })).toEqual({ [name]: MASK })
})

test.each([
  ['key.converter', 'org.apache.kafka.connect.json.JsonConverter'],
  ['transforms.route.key.field.name', '_table'],
  ['ssl.keystore.location', '/etc/keys.jks'],
  ['database.user', 'app'],
  ['tombstones.on.delete', 'false'],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference that the worker fills in
  ['database.password', '${env:SOURCE_PASSWORD}'],
  ['database.password', ''],
])('%s is shown as it is', (name, value) => {
  expect(maskConfiguration({ [name]: value })).toEqual({ [name]: value })
})

test('passwords in URLs and texts are masked wherever they are', () => {
  expect(maskConfiguration({ 'connection.url': 'jdbc:postgresql://u:p%40w@h:5432/db?password=secret&x=1' })).toEqual({
    'connection.url': `jdbc:postgresql://u:${MASK}@h:5432/db?password=${MASK}&x=1`,
  })
  expect(maskText('LoginModule required username="a" password="b c";')).toBe(
    `LoginModule required username="a" password=${MASK};`,
  )
  expect(maskText('password authentication failed for user "app"')).toBe(
    'password authentication failed for user "app"',
  )
})
