/** Columns of a table with a key. */
const keyed = `id int primary key generated always as identity, fare int default 1, note text default 'n'`
/** Columns of a keyless table. */
export const keyless = `fare int default 1, note text default 'n'`
/** Columns of a table whose updates leave large values out unless the replica identity is full. */
export const full = `${keyed}, way path`

type Change = [what: string, columns: string, ddl: string]

/** Captured tables `ride`, by their columns, with DDL that changes what Postgres allows their owner to do. */
export const changesOfShape = (major: number): Change[] => [
  ['without a key', keyless, ''],
  ['of a key', keyed, ''],
  ['with replica identity full', full, ''],
  ['that loses its key', keyed, 'alter table ride drop constraint ride_pkey'],
  ['that loses the column of its key', keyed, 'alter table ride drop column id'],
  [
    'whose key is made deferrable',
    keyed,
    'alter table ride drop constraint ride_pkey, add primary key (id) deferrable',
  ],
  [
    'whose key is another column',
    keyed,
    'alter table ride drop constraint ride_pkey, alter fare set not null, add unique (id, fare)',
  ],
  ['that loses its replica identity', keyed, 'alter table ride replica identity nothing'],
  ['without a key that loses its replica identity', keyless, 'alter table ride replica identity nothing'],
  ['without a key that has the default', keyless, 'alter table ride replica identity default'],
  [
    'whose replica identity is an index that is dropped',
    keyed,
    'create unique index one on ride (id); alter table ride replica identity using index one; drop index one',
  ],
  [
    'without a key whose replica identity is an index that is dropped',
    `${keyless}, n int not null generated always as identity`,
    'create unique index one on ride (n); alter table ride replica identity using index one; drop index one',
  ],
  ['with a stored column', keyed, 'alter table ride add len int generated always as (fare * 2) stored'],
  ['without a key, with a stored column', `${keyless}, double int generated always as (fare * 2) stored`, ''],
  [
    'without a key that gets a stored column',
    keyless,
    'alter table ride add len int generated always as (fare * 2) stored',
  ],
  [
    'with replica identity full that gets a stored column',
    full,
    'alter table ride add len int generated always as (fare * 2) stored',
  ],
  [
    'that becomes a partition',
    keyed.replace('generated always as identity', `default nextval('n')`),
    'create table rides (id int, fare int, note text, primary key (id)) partition by range (id); alter table rides attach partition ride for values from (0) to (1000)',
  ],
  [
    'without a key that becomes a partition of what another publication has',
    keyless,
    'create table rides (fare int, note text) partition by range (fare); create publication app for table rides with (publish_via_partition_root); alter table rides attach partition ride for values from (0) to (1000)',
  ],
  [
    'that is renamed and moved',
    keyless,
    'create schema s; alter table ride set schema s; alter table s.ride set schema public',
  ],
  ['that another publication has', full, 'create publication app for table ride'],
  ['that a publication of all tables has', full, 'create publication app for all tables'],
  [
    'with replica identity full and a stored column that a publication of all tables has',
    `${full}, double int generated always as (fare * 2) stored`,
    'create publication app for all tables',
  ],
  ...(major >= 15
    ? ([
        ['that a publication has in part', full, 'create publication app for table ride (id, fare)'],
        [
          'that a publication comes to have in part',
          full,
          'create publication app; alter publication app add table ride (id, fare)',
        ],
        ['that a publication has the rows of in part', full, 'create publication app for table ride where (id > 1)'],
        ['of a schema that a publication has', full, 'create publication app for tables in schema public'],
        ['of which somebody leaves a column of the key out', keyed, 'alter publication tidemark set table ride (fare)'],
        [
          'of which somebody leaves a column out',
          keyless,
          'alter publication tidemark drop table ride; alter publication tidemark add table ride (fare)',
        ],
        [
          'of which somebody publishes some rows',
          keyed,
          'alter publication tidemark drop table ride; alter publication tidemark add table ride where (fare > 1)',
        ],
        [
          'with replica identity full that becomes a partition of what a publication has in part',
          full.replace('generated always as identity', `default nextval('n')`),
          'create table rides (id int, fare int, note text, way path, primary key (id)) partition by range (id); create publication app for table rides (id, fare) with (publish_via_partition_root); alter table rides attach partition ride for values from (0) to (1000)',
        ],
      ] as Change[])
    : []),
  ...(major >= 18
    ? ([
        ['with a virtual column', `${keyed}, double int generated always as (fare * 2)`, ''],
        ['that gets a virtual column', keyed, 'alter table ride add len int generated always as (fare * 2)'],
        [
          'without a key that gets a virtual column',
          keyless,
          'alter table ride add len int generated always as (fare * 2)',
        ],
        [
          'with replica identity full that gets a virtual column',
          full,
          'alter table ride add len int generated always as (fare * 2)',
        ],
        [
          'with a virtual column that loses its key',
          `${keyed}, double int generated always as (fare * 2)`,
          'alter table ride drop constraint ride_pkey',
        ],
        [
          'with a virtual column that gets replica identity full',
          `${keyed}, double int generated always as (fare * 2)`,
          'alter table ride replica identity full',
        ],
        [
          'with a virtual column that gets a type that needs it',
          `${keyed}, double int generated always as (fare * 2)`,
          'alter table ride add way path',
        ],
        [
          'without a key, of which somebody leaves the stored column out',
          `${keyless}, double int generated always as (fare * 2) stored`,
          'alter publication tidemark set (publish_generated_columns = none)',
        ],
      ] as Change[])
    : []),
]
