//! The functions and views of the schema checkout, as the database's catalog describes them.

use std::collections::{BTreeMap, HashMap};

use sqlx_postgres::PgRow;

use crate::database_error::DatabaseError;
use crate::sqlx::{self, PgConnection, Row};

/// Those that the gateway's role may execute, or a role that it may take. An argument of a view's row type makes a
/// function a column of the view, not a function to call.
const FUNCTIONS: &str = "
    SELECT p.proname::text AS name, p.provolatile <> 'v' AS stable, p.proretset AS many,
        p.prorettype = 'void'::regtype AS void,
        t.typtype = 'c' OR coalesce(p.proargmodes::text[] && '{t,b,o}', false) AS composite,
        ARRAY(SELECT a.name FROM unnest(p.proargnames, p.proargmodes::text[]) WITH ORDINALITY AS a (name, mode, place)
            WHERE coalesce(a.mode, 'i') IN ('i', 'b', 'v') ORDER BY a.place) AS names,
        ARRAY(SELECT format_type(a.type, NULL) FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (type, place)
            ORDER BY a.place) AS types,
        (p.pronargs - p.pronargdefaults)::integer AS required
    FROM pg_proc p JOIN pg_type t ON t.oid = p.prorettype
    WHERE p.pronamespace = 'checkout'::regnamespace AND p.prokind = 'f'
        AND NOT EXISTS (SELECT FROM pg_class c WHERE c.reltype = ANY (p.proargtypes::oid[]) AND c.relkind = 'v')
        AND EXISTS (SELECT FROM pg_roles r
            WHERE pg_has_role(r.oid, 'MEMBER') AND has_function_privilege(r.oid, p.oid, 'EXECUTE'))";
const COLUMNS: &str = "
    SELECT c.relname::text AS view, a.attname::text AS name, format_type(a.atttypid, NULL) AS type
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'checkout'::regnamespace AND c.relkind = 'v' AND a.attnum > 0 AND NOT a.attisdropped
        AND EXISTS (SELECT FROM pg_roles r
            WHERE pg_has_role(r.oid, 'MEMBER') AND has_table_privilege(r.oid, c.oid, 'SELECT'))
    ORDER BY c.oid, a.attnum";

#[derive(Default)]
pub struct Catalog {
    functions: HashMap<String, Vec<Function>>,
    views: HashMap<String, View>,
}

#[derive(Debug, PartialEq)]
pub struct Function {
    pub name: String,
    pub arguments: Vec<Argument>,
    /// It only reads.
    pub stable: bool,
    pub returns: Returns,
}

#[derive(Debug, PartialEq)]
pub struct Argument {
    pub name: String,
    /// As SQL has it.
    pub type_name: String,
    pub required: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returns {
    Nothing,
    Value { many: bool },
    Row { many: bool },
}

pub struct View {
    pub name: String,
    pub columns: Vec<Column>,
}

#[derive(Clone)]
pub struct Column {
    pub name: String,
    pub type_name: String,
}

impl Catalog {
    pub async fn read(connection: &mut PgConnection) -> Result<Self, DatabaseError> {
        let mut functions: HashMap<String, Vec<Function>> = HashMap::new();
        for row in sqlx::query(FUNCTIONS).fetch_all(&mut *connection).await? {
            let function = function(&row)?;
            functions.entry(function.name.clone()).or_default().push(function);
        }
        let mut views: HashMap<String, View> = HashMap::new();
        for row in sqlx::query(COLUMNS).fetch_all(connection).await? {
            let name: String = row.try_get("view")?;
            let column = Column { name: row.try_get("name")?, type_name: row.try_get("type")? };
            let view = views.entry(name.clone()).or_insert_with(|| View { name, columns: Vec::new() });
            view.columns.push(column);
        }
        Ok(Self { functions, views })
    }

    /// The function that takes these arguments, and no other.
    pub fn function<V>(&self, name: &str, given: &BTreeMap<String, V>) -> Option<&Function> {
        self.functions.get(name)?.iter().find(|function| function.takes(given))
    }

    pub fn view(&self, name: &str) -> Option<&View> {
        self.views.get(name)
    }
}

impl Function {
    fn takes<V>(&self, given: &BTreeMap<String, V>) -> bool {
        let known = |name: &String| self.arguments.iter().any(|argument| argument.name == *name);
        let is_given = |argument: &Argument| !argument.required || given.contains_key(&argument.name);
        given.keys().all(known) && self.arguments.iter().all(is_given)
    }
}

impl View {
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl Column {
    pub fn is_json(&self) -> bool {
        matches!(self.type_name.as_str(), "json" | "jsonb")
    }
}

fn function(row: &PgRow) -> Result<Function, DatabaseError> {
    let (names, types): (Vec<String>, Vec<String>) = (row.try_get("names")?, row.try_get("types")?);
    let required: i32 = row.try_get("required")?;
    let required = usize::try_from(required).unwrap_or_default();
    let arguments = names.into_iter().zip(types).enumerate();
    let arguments =
        arguments.map(|(at, (name, type_name))| Argument { name, type_name, required: at < required }).collect();
    let many = row.try_get("many")?;
    let returns = match (row.try_get("void")?, row.try_get("composite")?) {
        (true, _) => Returns::Nothing,
        (false, true) => Returns::Row { many },
        (false, false) => Returns::Value { many },
    };
    Ok(Function { name: row.try_get("name")?, arguments, stable: row.try_get("stable")?, returns })
}

/// A name as an identifier in SQL.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
pub mod testing {
    use super::*;

    pub fn catalog() -> Catalog {
        let argument = |name: &str, type_name: &str, required| Argument {
            name: name.to_owned(),
            type_name: type_name.to_owned(),
            required,
        };
        let get = Function {
            name: "get".into(),
            arguments: vec![argument("id", "uuid", true), argument("ids", "uuid[]", false)],
            stable: true,
            returns: Returns::Row { many: false },
        };
        let column =
            |(name, type_name): (&str, &str)| Column { name: name.to_owned(), type_name: type_name.to_owned() };
        let columns = [("id", "uuid"), ("amount", "numeric"), ("metadata", "jsonb"), ("a\"b", "text")].map(column);
        let view = View { name: "sessions".into(), columns: columns.to_vec() };
        Catalog { functions: [("get".into(), vec![get])].into(), views: [("sessions".into(), view)].into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_by_its_arguments() {
        let catalog = testing::catalog();
        let found = |name: &str, given: &[&str]| {
            let given = given.iter().map(|name| ((*name).to_owned(), ())).collect();
            catalog.function(name, &given).is_some()
        };
        assert!(found("get", &["id"]) && found("get", &["ids", "id"]));
        assert!(!found("get", &[]) && !found("get", &["ids"]), "one is missing");
        assert!(!found("get", &["id", "other"]) && !found("set", &["id"]), "unknown");
    }

    #[test]
    fn a_name_is_quoted() {
        assert_eq!(quoted("a\"; DROP"), "\"a\"\"; DROP\"");
    }
}
