-- All promised functions. They stay.
\pset format unaligned
SELECT p.proname || '(' || pg_get_function_arguments(p.oid) || ')' AS function, pg_get_function_result(p.oid) AS result,
    CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END AS volatility,
    p.proisstrict AS strict
FROM pg_depend d JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
    AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'checkout_sessions')
    AND p.pronamespace = 'checkout'::regnamespace ORDER BY p.proname COLLATE "C", p.oid::regprocedure::text COLLATE "C"
\gx

-- Its types
SELECT t.typname, string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum)
    AS columns
FROM pg_depend d JOIN pg_type t ON d.classid = 'pg_type'::regclass AND d.objid = t.oid
    JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c' JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE d.deptype = 'e' AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'checkout_sessions')
    AND t.typnamespace = 'checkout'::regnamespace
GROUP BY t.typname ORDER BY t.typname COLLATE "C" \gx

-- Its views
SELECT c.relname, string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum)
    AS columns
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'checkout'::regnamespace AND c.relkind = 'v'
GROUP BY c.relname ORDER BY c.relname COLLATE "C" \gx
\pset format aligned

-- Its schemas, and the tables behind it
SELECT o.type, o.identity
FROM pg_depend d, pg_identify_object(d.classid, d.objid, d.objsubid) AS o
WHERE d.deptype = 'e' AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'checkout_sessions')
    AND d.classid IN ('pg_class'::regclass, 'pg_namespace'::regclass)
ORDER BY o.type COLLATE "C", o.identity COLLATE "C";
-- Every object of the two schemas is an extension member, and in its place.
SELECT p.oid::regprocedure::text AS not_a_member
FROM pg_proc p WHERE p.pronamespace IN ('checkout'::regnamespace, 'checkout_data'::regnamespace)
    AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
UNION ALL SELECT c.relname::text
FROM pg_class c
WHERE c.relnamespace IN ('checkout'::regnamespace, 'checkout_data'::regnamespace)
    AND c.relkind IN ('r', 'v', 'm', 'S', 'f')
    AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e');

-- Every function and type has a comment that says what it promises, and so do the tables, the views, and the columns of
-- the types that need it.
SELECT p.oid::regprocedure AS without_a_comment FROM pg_proc p
WHERE p.pronamespace = 'checkout'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL;
SELECT c.relname AS without_a_comment
FROM pg_class c
WHERE c.relnamespace IN ('checkout'::regnamespace, 'checkout_data'::regnamespace) AND c.relkind IN ('r', 'v')
    AND obj_description(c.oid, 'pg_class') IS NULL;
SELECT t.typname AS without_a_comment
FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
WHERE t.typnamespace = 'checkout'::regnamespace AND obj_description(t.oid, 'pg_type') IS NULL;
-- A function raises an error if a required value is NULL; none is silently skipped.
SELECT p.oid::regprocedure AS strict_with_arguments
FROM pg_proc p WHERE p.pronamespace = 'checkout'::regnamespace AND p.proisstrict AND p.pronargs > 0;
