import { expect, test } from 'vitest'
import { describeInspection } from './inspection-report.ts'
import type { SourceFacts } from './source-facts.ts'
import { judgeEventTriggers, judgeTransactions } from './source-hazards.ts'
import { judgeCaptureRole, judgeRights, judgeServer } from './source-inspection.ts'

const READY: SourceFacts = {
  database: 'shop',
  user: 'admin',
  version: 170_010,
  versionText: '17.10',
  standby: false,
  rds: false,
  mayAlterSystem: true,
  walLevel: 'logical',
  slots: 10,
  slotsUsed: 3,
  walSenders: 10,
  walSendersUsed: 3,
  slotWalKeepMegabytes: 51_200,
  idleSlotTimeoutSeconds: 0,
  encoding: 'UTF8',
  eventTriggersFire: true,
  eventTriggersOffFor: [],
  captureRoleExists: false,
  mayCreateInDatabase: true,
  mayCreateRoles: true,
  mayGrantReplication: true,
  mayCreateEventTriggers: true,
  oldestTransactionSeconds: 0,
  seesTransactions: true,
  preparedTransactions: [],
}

const judge = (changed: Partial<SourceFacts>) => {
  const facts = { ...READY, ...changed }
  const findings = [judgeServer(facts), judgeTransactions(facts, 60), judgeEventTriggers(facts), judgeRights(facts)]
  return findings.flat().filter(({ level }) => level !== 'ok')
}

test('a server that has everything gives nothing to do', () => {
  expect(judge({})).toEqual([])
})

test.each([14, 15, 16, 17, 18])('a server of the latest minor version of %i gives nothing to do', (major) => {
  expect(judge({ version: major * 10_000 + 30 })).toEqual([])
})

test.each<[Partial<SourceFacts>, string, string, string | RegExp]>([
  [{ version: 130_023, versionText: '13.23' }, 'problem', 'version', '-- upgrade the server'],
  [{ version: 140_017, versionText: '14.17' }, 'advice', 'version', '-- upgrade to 14.18'],
  [{ version: 190_001, versionText: '19.1' }, 'advice', 'version', '-- try it with a copy of the database first'],
  [{ version: 190_001, versionText: '19.1', walLevel: 'replica' }, 'advice', 'version', /^-- try it/],
  [{ version: 170_004, versionText: '17.4' }, 'advice', 'version', '-- upgrade to 17.5'],
  [{ standby: true }, 'problem', 'kind', /primary/],
  [
    { walLevel: 'replica' },
    'problem',
    'wal_level',
    "alter system set wal_level = 'logical'; -- then restart the server",
  ],
  [
    { walLevel: 'replica', rds: true, mayAlterSystem: false },
    'problem',
    'wal_level',
    /rds\.logical_replication = 1, then reboot/,
  ],
  [
    { walLevel: 'replica', mayAlterSystem: false },
    'problem',
    'wal_level',
    '-- in the parameter group or postgresql.conf: wal_level = logical, then restart',
  ],
  [
    { slotWalKeepMegabytes: 0 },
    'problem',
    'max_slot_wal_keep_size',
    "alter system set max_slot_wal_keep_size = '50GB'; select pg_reload_conf();",
  ],
  [
    { slotWalKeepMegabytes: 0, mayAlterSystem: false },
    'problem',
    'max_slot_wal_keep_size',
    '-- in the parameter group or postgresql.conf: max_slot_wal_keep_size = 51200, then reload',
  ],
  [{ slotsUsed: 10 }, 'problem', 'replication slots', /^alter system set max_replication_slots = '15'/],
  [{ walSendersUsed: 10 }, 'problem', 'wal senders', /^alter system set max_wal_senders = '15'/],
  [{ slotWalKeepMegabytes: -1 }, 'advice', 'max_slot_wal_keep_size', /'50GB'; select pg_reload_conf\(\);$/],
  [
    { version: 180_004, idleSlotTimeoutSeconds: 86_400 },
    'advice',
    'idle_replication_slot_timeout',
    "alter system set idle_replication_slot_timeout = '0'; select pg_reload_conf();",
  ],
  [
    { idleSlotTimeoutSeconds: 60, rds: true, mayAlterSystem: false },
    'advice',
    'idle_replication_slot_timeout',
    '-- in the parameter group: idle_replication_slot_timeout = 0',
  ],
  [{ oldestTransactionSeconds: 3600 }, 'advice', 'open transactions', /^select pid/],
  [{ mayCreateInDatabase: false }, 'problem', 'create in the database', 'grant create on database "shop" to "admin";'],
  [{ mayCreateRoles: false }, 'problem', 'create roles', 'alter role "admin" createrole;'],
  [{ mayGrantReplication: false }, 'problem', 'grant replication', 'alter role "admin" replication;'],
  [{ mayGrantReplication: false, version: 150_013 }, 'problem', 'grant replication', /^alter role "admin" superuser;/],
  [
    { mayGrantReplication: false, rds: true },
    'problem',
    'grant replication',
    'grant rds_replication to "admin" with admin option;',
  ],
  [{ mayCreateEventTriggers: false }, 'advice', 'event triggers', /^-- .* select tidemark\.publish_contracts\(\);$/],
  [
    { mayCreateEventTriggers: false, eventTriggersFire: false },
    'advice',
    'event triggers',
    /^-- .* select tidemark\.publish_contracts\(\);$/,
  ],
  [
    { eventTriggersFire: false, mayAlterSystem: false, rds: true },
    'problem',
    'event_triggers',
    '-- in the parameter group: no event_triggers',
  ],
  [{ seesTransactions: false }, 'advice', 'open transactions', 'grant pg_read_all_stats to "admin";'],
  [
    {
      preparedTransactions: [
        { gid: 'pay-1', database: 'shop', seconds: 90 },
        { gid: "o'ld", database: 'other', seconds: 70 },
        { gid: 'new', database: 'shop', seconds: 2 },
      ],
    },
    'problem',
    'prepared transactions',
    [
      `-- in shop, either commit prepared 'pay-1'; or rollback prepared 'pay-1';`,
      `-- in other, either commit prepared 'o''ld'; or rollback prepared 'o''ld';`,
    ].join('\n'),
  ],
  [
    { eventTriggersFire: false },
    'problem',
    'event_triggers',
    'alter system reset event_triggers; select pg_reload_conf();',
  ],
  [
    { eventTriggersFire: false, eventTriggersOffFor: [{ database: 'shop', role: 'loader' }] },
    'problem',
    'event_triggers',
    'alter role loader in database shop reset event_triggers;',
  ],
  [{ mayCreateRoles: false, user: 'a"b' }, 'problem', 'create roles', 'alter role "a""b" createrole;'],
])('%j is %s about %s, with what to do', (facts, level, subject, fix) => {
  const findings = judge(facts)

  const expected = typeof fix === 'string' ? fix : expect.stringMatching(fix)
  expect(findings).toEqual([{ level, subject, state: expect.any(String), fix: expected }])
})

test('a role that policies name and that is not there yet is made first', () => {
  const fix = 'create policy tidemark_capture on public.log for select to tidemark_capture using (true)'
  const table = (fixes: string[]) => ({
    name: 'public.log',
    path: ['public', 'log'] as [string, string],
    rows: 0,
    bytes: 0,
    refusals: fixes.map((one) => ({ reason: 'why', fix: one })),
  })

  expect(judgeCaptureRole({ captureRoleExists: false }, [table([]), table([fix])])).toMatchObject([
    { level: 'advice', fix: 'create role tidemark_capture login;' },
  ])
  expect(judgeCaptureRole({ captureRoleExists: true }, [table([fix])])).toEqual([])
  expect(judgeCaptureRole({ captureRoleExists: false }, [table(['alter table public.log set logged'])])).toEqual([])
})

test('the report aligns what was found and puts the SQL below it', () => {
  const report = describeInspection({
    ready: false,
    database: 'shop',
    version: '17.10',
    findings: [
      { level: 'ok', subject: 'kind', state: 'a primary', fix: null },
      { level: 'problem', subject: 'wal_level', state: 'replica', fix: 'alter system set wal_level = logical' },
    ],
    tables: [
      { name: 'public.ride', path: ['public', 'ride'], rows: 1_234, bytes: 81_920, refusals: [] },
      {
        name: 'public.log',
        path: ['public', 'log'],
        rows: 5,
        bytes: 8_192,
        refusals: [{ reason: 'it has no primary key', fix: 'alter table …' }],
      },
    ],
  })

  expect(report.split('\n')).toEqual([
    'shop, PostgreSQL 17.10',
    '',
    'ok        kind         a primary',
    'problem   wal_level    replica',
    '                         alter system set wal_level = logical',
    'ok        public.ride  about 1,234 rows, 80.0 kB',
    'left out  public.log   it has no primary key',
    '                         alter table …',
    '',
    'not ready: 1 problem to solve first; 1 of 2 tables can be captured, 80.0 kB to read',
  ])
})
