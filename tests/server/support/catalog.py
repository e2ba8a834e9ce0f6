"""Everything that the catalog says of the extension's objects, so that two databases can be compared."""


def acl(column):
    return f"""(
        SELECT string_agg(concat_ws(' ', a.grantor::regrole, a.grantee::regrole, a.privilege_type, a.is_grantable), ', '
            ORDER BY a.grantor::regrole::text, a.grantee::regrole::text, a.privilege_type)
        FROM aclexplode({column}) AS a)"""


OURS = "IN ('checkout'::regnamespace, 'checkout_data'::regnamespace)"

# Each has the columns name, and what is compared. No OIDs, and no numbers of columns: those of a dropped one stay.
QUERIES = {
    "member": """
        SELECT i.type || ' ' || i.identity AS name
        FROM pg_depend d, pg_extension e, pg_identify_object(d.classid, d.objid, 0) AS i
        WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
            AND e.extname = 'checkout_sessions'""",
    "dumped table": """
        SELECT c.oid::regclass::text AS name, e.extcondition[array_position(e.extconfig, c.oid)] AS condition
        FROM pg_extension e JOIN pg_class c ON c.oid = ANY (e.extconfig) WHERE e.extname = 'checkout_sessions'""",
    "extension": """
        SELECT extname AS name, extowner::regrole, extnamespace::regnamespace, extrelocatable FROM pg_extension
        WHERE extname = 'checkout_sessions'""",
    "schema": f"""
        SELECT nspname AS name, nspowner::regrole, {acl('nspacl')} AS acl, obj_description(oid, 'pg_namespace') AS comment
        FROM pg_namespace WHERE oid {OURS}""",
    "relation": f"""
        SELECT c.oid::regclass::text AS name, c.relkind, c.relowner::regrole, c.relpersistence, c.reloptions,
            c.relrowsecurity, c.relforcerowsecurity, c.relreplident, c.relispartition, m.amname, {acl('c.relacl')} AS acl,
            obj_description(c.oid, 'pg_class') AS comment, CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) END AS view
        FROM pg_class c LEFT JOIN pg_am m ON m.oid = c.relam WHERE c.relnamespace {OURS}""",
    "index": f"""
        SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS index, i.indisvalid, i.indisclustered,
            i.indisreplident, i.indnullsnotdistinct
        FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace {OURS}""",
    "column": f"""
        SELECT c.oid::regclass || '.' || a.attname AS name,
            row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum) AS place,
            format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull, a.attidentity, a.attgenerated, a.attstorage,
            a.attcompression,
            -- The server counts the versions of an attribute.
            (SELECT array_agg(o) FROM unnest(a.attoptions) AS o WHERE o !~ '^pg_attver=') AS options,
            a.attcollation::regcollation, pg_get_expr(d.adbin, d.adrelid) AS default,
            {acl('a.attacl')} AS acl, col_description(c.oid, a.attnum) AS comment
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
            LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace {OURS} AND c.relkind IN ('r', 'v', 'c', 'p', 'm') AND a.attnum > 0 AND NOT a.attisdropped""",
    "constraint": f"""
        SELECT concat(NULLIF(k.conrelid, 0)::regclass, NULLIF(k.contypid, 0)::regtype, ' ', k.conname) AS name,
            pg_get_constraintdef(k.oid) AS constraint, k.convalidated, obj_description(k.oid, 'pg_constraint') AS comment
        FROM pg_constraint k WHERE k.connamespace {OURS}""",
    "function": f"""
        SELECT p.oid::regprocedure::text AS name,
            CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END AS function, p.probin,
            CASE WHEN p.probin IS NOT NULL THEN p.prosrc END AS symbol,
            concat(p.oid::regprocedure, ' ', pg_get_function_result(p.oid)) AS signature, p.proowner::regrole,
            {acl('p.proacl')} AS acl, obj_description(p.oid, 'pg_proc') AS comment
        FROM pg_proc p WHERE p.pronamespace {OURS}""",
    "type": f"""
        SELECT t.oid::regtype::text AS name, t.typtype, t.typowner::regrole, {acl('t.typacl')} AS acl,
            format_type(NULLIF(t.typbasetype, 0), t.typtypmod) AS base, t.typnotnull, t.typdefault,
            t.typcollation::regcollation,
            (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid) AS labels,
            obj_description(t.oid, 'pg_type') AS comment
        FROM pg_type t WHERE t.typnamespace {OURS}""",
    "policy": f"""
        SELECT p.polrelid::regclass || ' ' || p.polname AS name, p.polcmd, p.polpermissive,
            p.polroles::regrole[]::text[] AS roles,
            pg_get_expr(p.polqual, p.polrelid) AS using, pg_get_expr(p.polwithcheck, p.polrelid) AS check,
            obj_description(p.oid, 'pg_policy') AS comment
        FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE c.relnamespace {OURS}""",
    "trigger": f"""
        SELECT t.tgrelid::regclass || ' ' || t.tgname AS name, pg_get_triggerdef(t.oid) AS trigger, t.tgenabled,
            obj_description(t.oid, 'pg_trigger') AS comment
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace {OURS} AND NOT t.tgisinternal""",
    "rule": f"""
        SELECT r.ev_class::regclass || ' ' || r.rulename AS name, pg_get_ruledef(r.oid) AS rule FROM pg_rewrite r
        JOIN pg_class c ON c.oid = r.ev_class WHERE c.relnamespace {OURS}""",
    "event trigger": """
        SELECT t.evtname AS name, t.evtevent, t.evtowner::regrole, t.evtfoid::regprocedure, t.evtenabled, t.evttags
        FROM pg_event_trigger t""",
    # pg_dump writes the rights that differ from these.
    "first rights": f"""
        SELECT i.type || ' ' || i.identity AS name, {acl('p.initprivs')} AS acl
        FROM pg_init_privs p, pg_identify_object(p.classoid, p.objoid, p.objsubid) AS i
        WHERE p.privtype = 'e' AND i.identity ~ '^checkout'""",
}


def catalog(db):
    """What each object is, by its kind and name."""
    found = {}
    for kind, query in QUERIES.items():
        for row in db.sql("SELECT to_jsonb(object) AS object FROM (" + query + ") AS object"):
            properties = row["object"]
            key = kind, properties.pop("name")
            assert key not in found, f"two objects of one name: {key}"
            found[key] = properties
    return found


def differences(one, other):
    """What differs between two catalogs: kind, name, property, and its two values."""
    found = []
    for key in sorted(one.keys() | other.keys()):
        if key not in one or key not in other:
            found.append((*key, "is there", key in one, key in other))
            continue
        for name, value in one[key].items():
            if value != other[key][name]:
                found.append((*key, name, value, other[key][name]))
    return found
