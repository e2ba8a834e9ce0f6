"""Schema checkout as the catalog of a new database has it. It starts a private server of its own, so the extension must
have been built. scripts/reference and scripts/types print what they make of it; with --write they write it to its place.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SERVER, NAME = str(ROOT / "scripts/server"), "catalog"
QUERY = r"""
SELECT json_build_object(
    'functions', (
        SELECT json_agg(json_build_object(
            'name', p.proname, 'comment', obj_description(p.oid, 'pg_proc'), 'result', pg_get_function_result(p.oid),
            'arguments', (
                SELECT json_agg(json_build_object(
                    'name', a.name, 'type', format_type(a.type, NULL), 'mode', COALESCE(a.mode, 'i'),
                    'default', pg_get_function_arg_default(p.oid, a.number::integer)) ORDER BY a.number)
                FROM unnest(p.proargnames, COALESCE(p.proallargtypes, p.proargtypes::oid[]), p.proargmodes)
                    WITH ORDINALITY AS a (name, type, mode, number)),
            'accesses', (
                SELECT json_agg(a.access ORDER BY array_position(
                    ARRAY['secret', 'publishable', 'request', 'relay', 'admin'], a.access))
                FROM checkout_data.accesses() a WHERE a.function_name = p.proname)) ORDER BY p.proname)
        FROM pg_proc p WHERE p.pronamespace = 'checkout'::regnamespace),
    'relations', (
        SELECT json_agg(json_build_object(
            'name', c.relname, 'kind', c.relkind,
            'comment', COALESCE(obj_description(c.oid, 'pg_class'), obj_description(c.reltype, 'pg_type')),
            'columns', (
                SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, NULL),
                    'comment', col_description(c.oid, a.attnum)) ORDER BY a.attnum)
                FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0)) ORDER BY c.relname)
        FROM pg_class c WHERE c.relnamespace = 'checkout'::regnamespace AND c.relkind IN ('c', 'v')),
    'tables', (
        SELECT json_object_agg(c.relname, (
            SELECT json_object_agg(a.attname, json_build_object('required', a.attnotnull, 'check', (
                SELECT pg_get_constraintdef(d.oid) FROM pg_constraint d WHERE d.contypid = a.atttypid LIMIT 1)))
            FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0))
        FROM pg_class c WHERE c.relnamespace = 'checkout_data'::regnamespace AND c.relkind = 'r'))
"""


def read():
    def server(*arguments):
        return subprocess.run([SERVER, *arguments], cwd=ROOT, check=True, text=True, capture_output=True).stdout

    server("stop", NAME, "--remove")
    server("start", NAME)
    try:
        server("psql", NAME, "--command=CREATE EXTENSION IF NOT EXISTS checkout_sessions")
        return json.loads(server("psql", NAME, "--no-align", "--tuples-only", f"--command={QUERY}"))
    finally:
        server("stop", NAME, "--remove")


def put(text, path):
    if sys.argv[1:] == ["--write"]:
        (ROOT / path).write_text(text)
    else:
        sys.stdout.write(text)
