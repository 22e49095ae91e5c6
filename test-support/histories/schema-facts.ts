import type pg from 'pg'

/** A column in the catalog's form. */
export type Column = {
  name: string
  /** The type as format_type writes it. */
  type: string
  notNull: boolean
  /** Whether it is computed, so that it cannot be given a value. */
  generated: boolean
  identity: boolean
  /** Whether it is inherited, so that it cannot be dropped or renamed here. */
  inherited: boolean
}

/** A table of a history. */
export type Table = {
  name: string
  isPartitioned: boolean
  isPartition: boolean
  /** The table of which it is a table partition, or from which it inherits. */
  parent: string | null
  isParent: boolean
  columns: Column[]
  /** Columns of the primary key, in its order. */
  key: string[]
  keyName: string | null
  /** Unique indexes that are not the key. */
  uniqueIndexes: string[]
}

/** An enum of a history. */
export type Enum = { name: string; labels: string[] }

/** The schema that a session sees at the moment, with its own uncommitted DDL. */
export type SchemaFacts = { tables: Table[]; enums: Enum[] }

const tablesSql = `
  select c.relname as name, c.relkind = 'p' as "isPartitioned", c.relispartition as "isPartition",
    (select p.relname from pg_inherits i join pg_class p on p.oid = i.inhparent where i.inhrelid = c.oid limit 1) as parent,
    exists (select from pg_inherits i where i.inhparent = c.oid) as "isParent",
    array(
      select json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'notNull', a.attnotnull,
        'generated', a.attgenerated <> '', 'identity', a.attidentity <> '', 'inherited', a.attinhcount > 0)
      from pg_attribute a
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      order by a.attnum
    ) as columns,
    array(
      select a.attname::text
      from pg_index i
      cross join unnest(i.indkey::int2[]) with ordinality as k (attnum, place)
      join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
      where i.indrelid = c.oid and i.indisprimary
      order by k.place
    ) as key,
    (select conname from pg_constraint where conrelid = c.oid and contype = 'p') as "keyName",
    array(
      select u.relname::text
      from pg_index i
      join pg_class u on u.oid = i.indexrelid
      where i.indrelid = c.oid and i.indisunique and not i.indisprimary and i.indislive
      order by u.oid
    ) as "uniqueIndexes"
  from pg_class c
  where c.relnamespace = 'public'::regnamespace
    and c.relkind in ('r', 'p')
    and starts_with(c.relname, $1)
  order by c.oid`

const enumsSql = `
  select t.typname as name, array(select e.enumlabel::text from pg_enum e where e.enumtypid = t.oid order by e.enumsortorder) as labels
  from pg_type t
  where t.typtype = 'e'
    and starts_with(t.typname, $1)
  order by t.oid`

/** The tables and enums of schema public whose names start with the prefix, in the order of their creation. */
export async function readSchemaFacts(session: pg.Client, prefix: string): Promise<SchemaFacts> {
  const tables = await session.query<Table>(tablesSql, [prefix])
  const enums = await session.query<Enum>(enumsSql, [prefix])
  return { tables: tables.rows, enums: enums.rows }
}
