import type { ClientBase, Pool } from 'pg'
import { FUNCTION_SETTINGS } from '#test-support/databases/installed-functions.ts'

/** The schemas of Tidemark and of the user. */
const OURS = `n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`

const PRIVILEGES = (object: string, acl: string) => `
  (select string_agg(format(E'\\n-- %s may %s', coalesce(nullif(a.grantee, 0)::regrole::text, 'everyone'), a.privileges), '' order by a.grantee::regrole::text)
   from (
     select e.grantee, string_agg(lower(e.privilege_type), ', ' order by e.privilege_type) as privileges
     from aclexplode(${acl}) e
     where e.grantee <> ${object}
     group by e.grantee
   ) a)`

const FIXED_SETTINGS = `^ SET (${FUNCTION_SETTINGS.filter((setting) => !setting.startsWith('search_path'))
  .map((setting) => `"?${setting.replace('=', `"? TO '?`)}'?`)
  .join('|')})\n`

/** Each query returns the objects of one kind as text, in a fixed order. */
const KINDS = [
  // The roles to which this database refers, and their settings.
  `select format('role %s%s%s%s', r.rolname, case when r.rolcanlogin then ' login' else ' nologin' end,
      case when r.rolreplication then ' replication' else '' end,
      (select string_agg(E'\\n  set ' || setting, '' order by setting)
       from pg_db_role_setting s cross join unnest(s.setconfig) as setting
       where s.setrole = r.oid and s.setdatabase = 0))
    from pg_roles r where r.rolname like 'tidemark%' and exists (
      select from pg_shdepend d join pg_database b on b.oid = d.dbid and b.datname = current_database()
      where d.refclassid = 'pg_authid'::regclass and d.refobjid = r.oid
    ) order by r.rolname`,
  `select format('schema %s', n.nspname) || coalesce(${PRIVILEGES('n.nspowner', 'n.nspacl')}, '')
    from pg_namespace n where ${OURS} order by n.nspname`,
  `select format('table %s.%s%s (', n.nspname, c.relname, coalesce(' with ' || array_to_string(c.reloptions, ', '), ''))
      || (select string_agg(format(E'\\n  %s %s%s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
            case when a.attnotnull then ' not null' else '' end,
            coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), ''),
            coalesce(' -- ' || col_description(c.oid, a.attnum), '')), '' order by a.attnum)
          from pg_attribute a left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)
      || coalesce((select string_agg(format(E'\\n  constraint %s %s', k.conname, pg_get_constraintdef(k.oid)), '' order by k.conname)
          from pg_constraint k where k.conrelid = c.oid), '')
      || coalesce((select string_agg(E'\\n  ' || pg_get_indexdef(i.indexrelid), '' order by i.indexrelid::regclass::text)
          from pg_index i where i.indrelid = c.oid and not i.indisprimary), '')
      || E'\\n)' || coalesce(' partition by ' || pg_get_partkeydef(c.oid), '') || coalesce(${PRIVILEGES('c.relowner', 'c.relacl')}, '')
      || coalesce((select string_agg(format(E'\\n-- %s.%s: %s', c.relname, a.attname, a.attacl), '' order by a.attnum)
          from pg_attribute a where a.attrelid = c.oid and a.attacl is not null), '')
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and ${OURS} order by n.nspname, c.relname`,
  `select format(E'view %s.%s as\\n%s', n.nspname, c.relname, pg_get_viewdef(c.oid))
      || coalesce(${PRIVILEGES('c.relowner', 'c.relacl')}, '')
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'v' and ${OURS} order by n.nspname, c.relname`,
  // The settings that finish.sql gives to every function are left out; they have a test of their own.
  `select regexp_replace(rtrim(pg_get_functiondef(p.oid), E'\\n'), $1, '', 'gn') || format(E'\\n-- owned by %s', p.proowner::regrole)
      || coalesce(${PRIVILEGES('p.proowner', "coalesce(p.proacl, acldefault('f', p.proowner))")}, '')
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where ${OURS} order by n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)`,
  `select format('event trigger %s on %s execute %s %s%s', e.evtname, e.evtevent, e.evtfoid::regprocedure,
      case e.evtenabled when 'A' then 'always' else e.evtenabled::text end,
      coalesce(E'\\n  when ' || array_to_string(e.evttags, ', '), ''))
    from pg_event_trigger e order by e.evtname`,
  `select format('publication %s insert %s update %s delete %s truncate %s%s', p.pubname, p.pubinsert, p.pubupdate,
      p.pubdelete, p.pubtruncate,
      (select string_agg(format(E'\\n  %s.%s', t.schemaname, t.tablename), '' order by t.schemaname, t.tablename)
       from pg_publication_tables t where t.pubname = p.pubname))
    from pg_publication p order by p.pubname`,
]

/**
 * The objects that the files of `sql/` made in a database, as text for reading and comparing. The same objects give the
 * same text.
 */
export async function dumpSchema(database: ClientBase | Pool): Promise<string> {
  const sections: string[] = [
    '-- What the files of this side make, written by the test of schema-dump. It is for reading and never runs.',
  ]
  for (const kind of KINDS) {
    const values = kind.includes('$1') ? [FIXED_SETTINGS] : []
    const { rows } = await database.query({ text: kind, values, rowMode: 'array' })
    sections.push(...rows.map((row) => row[0]))
  }
  return `${sections.join('\n\n')}\n`
}
