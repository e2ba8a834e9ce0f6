//! The grammar of views' queries: a subset of PostgREST's. Columns come from the catalog, values become parameters.

use std::fmt::Write;

use axum::http::StatusCode;

use crate::gateway::catalog::{Column, View, quoted};
use crate::gateway::failure::Failure;
use crate::gateway::query::parameters;

/// The most values of an `in`.
const MOST_VALUES: usize = 1_000;
const MOST_FILTERS: usize = 50;
const COMPARISONS: [(&str, &str); 6] =
    [("eq", "="), ("neq", "<>"), ("gt", ">"), ("gte", ">="), ("lt", "<"), ("lte", "<=")];
const PATTERNS: [(&str, &str); 2] = [("like", "LIKE"), ("ilike", "ILIKE")];
const STATES: [(&str, &str); 5] =
    [("null", "NULL"), ("not_null", "NOT NULL"), ("true", "TRUE"), ("false", "FALSE"), ("unknown", "UNKNOWN")];

/// What a query asks of a view.
pub struct Question {
    pub columns: Vec<Column>,
    /// Empty, or `WHERE ...`.
    pub conditions: String,
    /// Empty, or `ORDER BY ...`.
    pub order: String,
    pub values: Vec<Bound>,
    pub limit: Option<i64>,
    pub offset: i64,
}

/// A parameter of the statement.
#[derive(Debug, PartialEq, Eq)]
pub enum Bound {
    Text(String),
    List(Vec<String>),
}

impl Question {
    pub fn read(view: &View, query: &str) -> Result<Self, Failure> {
        let mut question = Self {
            columns: view.columns.clone(),
            conditions: String::new(),
            order: String::new(),
            values: Vec::new(),
            limit: None,
            offset: 0,
        };
        let mut filters = 0;
        for (name, value) in parameters(query) {
            match name.as_str() {
                "select" => question.columns = selected(view, &value)?,
                "order" => question.order = question.ordered(view, &value)?,
                "limit" => question.limit = Some(count("limit", &value)?),
                "offset" => question.offset = count("offset", &value)?,
                _ => {
                    filters += 1;
                    if filters > MOST_FILTERS {
                        return Err(malformed(format!("a query has at most {MOST_FILTERS} filters")));
                    }
                    let condition = question.condition(view, &name, &value)?;
                    let word = if question.conditions.is_empty() { "WHERE" } else { " AND" };
                    // Writing to a string does not fail.
                    let _ = write!(question.conditions, "{word} {condition}");
                }
            }
        }
        Ok(question)
    }

    fn condition(&mut self, view: &View, name: &str, filter: &str) -> Result<String, Failure> {
        let (operand, type_name) = self.operand(view, name)?;
        let (negated, filter) = filter.strip_prefix("not.").map_or((false, filter), |filter| (true, filter));
        let fault = || malformed(format!("\"failed to parse filter ({filter})\" of {name}"));
        let (operator, value) = filter.split_once('.').ok_or_else(fault)?;
        let found =
            |known: &[(&str, &'static str)]| known.iter().find(|(word, _)| *word == operator).map(|(_, sql)| *sql);
        let condition = if let Some(sql) = found(&COMPARISONS) {
            let at = self.bind(Bound::Text(value.to_owned()));
            format!("{operand} {sql} ${at}::text::{type_name}")
        } else if let Some(sql) = found(&PATTERNS) {
            let at = self.bind(Bound::Text(value.replace('*', "%")));
            format!("{operand}::text {sql} ${at}::text")
        } else if operator == "in" {
            let at = self.bind(Bound::List(list(value).ok_or_else(fault)?));
            format!("{operand} = ANY (${at}::text[]::{type_name}[])")
        } else if operator == "is" {
            let state = STATES.iter().find(|(word, _)| word.eq_ignore_ascii_case(value)).ok_or_else(fault)?.1;
            format!("{operand} IS {state}")
        } else {
            return Err(fault());
        };
        Ok(if negated { format!("NOT ({condition})") } else { condition })
    }

    /// A column, or a member of one: `metadata->>order_id`. Returns it and its type in SQL.
    fn operand(&mut self, view: &View, name: &str) -> Result<(String, String), Failure> {
        let Some((column, key)) = name.split_once("->>") else {
            let column = column_of(view, name)?;
            return Ok((in_view(column), column.type_name.clone()));
        };
        let column = column_of(view, column)?;
        if !column.is_json() || key.is_empty() {
            return Err(malformed(format!("{name} is no member of a JSON column")));
        }
        let at = self.bind(Bound::Text(key.to_owned()));
        Ok((format!("({} ->> ${at}::text)", in_view(column)), "text".to_owned()))
    }

    fn ordered(&mut self, view: &View, terms: &str) -> Result<String, Failure> {
        let mut order = String::new();
        for term in terms.split(',') {
            // The words come last: a key may contain dots.
            let (mut name, mut direction, mut nulls) = (term, "", "");
            while let Some((before, word)) = name.rsplit_once('.') {
                match word {
                    "asc" if direction.is_empty() => direction = " ASC",
                    "desc" if direction.is_empty() => direction = " DESC",
                    "nullsfirst" if nulls.is_empty() && direction.is_empty() => nulls = " NULLS FIRST",
                    "nullslast" if nulls.is_empty() && direction.is_empty() => nulls = " NULLS LAST",
                    _ => break,
                }
                name = before;
            }
            let (operand, _) = self.operand(view, name)?;
            let word = if order.is_empty() { "ORDER BY" } else { "," };
            let _ = write!(order, "{word} {operand}{direction}{nulls}");
        }
        Ok(order)
    }

    /// The number of the parameter.
    fn bind(&mut self, value: Bound) -> usize {
        self.values.push(value);
        self.values.len()
    }
}

/// A column in SQL. Alone, its name could be that of a result.
pub fn in_view(column: &Column) -> String {
    format!("v.{}", quoted(&column.name))
}

fn selected(view: &View, names: &str) -> Result<Vec<Column>, Failure> {
    if names.is_empty() || names == "*" {
        return Ok(view.columns.clone());
    }
    let columns: Vec<Column> =
        names.split(',').map(|name| column_of(view, name.trim()).cloned()).collect::<Result<_, _>>()?;
    let twice = columns.iter().enumerate().find(|(at, column)| columns[..*at].iter().any(|c| c.name == column.name));
    match twice {
        Some((_, column)) => Err(malformed(format!("select has {} twice", column.name))),
        None => Ok(columns),
    }
}

/// In the database's words, as PostgREST has them.
fn column_of<'v>(view: &'v View, name: &str) -> Result<&'v Column, Failure> {
    view.column(name).ok_or_else(|| {
        let message = format!("column {}.{name} does not exist", view.name);
        Failure::new(StatusCode::BAD_REQUEST, "42703", message)
    })
}

fn count(name: &str, text: &str) -> Result<i64, Failure> {
    let number = text.parse().ok().filter(|number| *number >= 0);
    number.ok_or_else(|| malformed(format!("{name} must be a whole number, at least 0")))
}

fn malformed(message: String) -> Failure {
    Failure::bad_request(message)
}

/// `(a,"b,c")`: values in double quotes may have commas; a backslash escapes one character in them.
fn list(text: &str) -> Option<Vec<String>> {
    let text = text.strip_prefix('(')?.strip_suffix(')')?;
    if text.is_empty() {
        return Some(Vec::new());
    }
    let (mut values, mut characters) = (Vec::new(), text.chars().peekable());
    loop {
        let mut value = String::new();
        if characters.next_if_eq(&'"').is_some() {
            loop {
                match characters.next()? {
                    '"' => break,
                    '\\' => value.push(characters.next()?),
                    other => value.push(other),
                }
            }
        } else {
            while let Some(character) = characters.next_if(|character| *character != ',') {
                value.push(character);
            }
        }
        values.push(value);
        match characters.next() {
            None => return (values.len() <= MOST_VALUES).then_some(values),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::catalog::testing;

    fn question(query: &str) -> Result<Question, String> {
        let catalog = testing::catalog();
        let view = catalog.view("sessions").expect("there");
        Question::read(view, query).map_err(|failure| format!("{} {}", failure.code, failure.message))
    }

    fn where_of(query: &str) -> String {
        question(query).map_or_else(|refusal| refusal, |question| question.conditions)
    }

    #[test]
    fn filters_become_conditions_with_parameters() {
        for (query, sql) in [
            ("amount=gte.5", r#"WHERE v."amount" >= $1::text::numeric"#),
            ("id=eq.a&amount=not.lt.3", r#"WHERE v."id" = $1::text::uuid AND NOT (v."amount" < $2::text::numeric)"#),
            ("id=in.(a,b)", r#"WHERE v."id" = ANY ($1::text[]::uuid[])"#),
            ("amount=is.null", r#"WHERE v."amount" IS NULL"#),
            ("amount=not.is.null", r#"WHERE NOT (v."amount" IS NULL)"#),
            ("metadata->>order_id=eq.A-17", r#"WHERE (v."metadata" ->> $1::text) = $2::text::text"#),
            ("id=ilike.*a*", r#"WHERE v."id"::text ILIKE $1::text"#),
            ("a%22b=eq.x", r#"WHERE v."a""b" = $1::text::text"#),
        ] {
            assert_eq!(where_of(query), sql);
        }
        let values = question("id=in.(a,%22b,%5C%22c%22)&amount=like.*x").map(|question| question.values);
        let expected = vec![Bound::List(vec!["a".into(), "b,\"c".into()]), Bound::Text("%x".into())];
        assert_eq!(values, Ok(expected));
    }

    #[test]
    fn order_select_limit_and_offset_are_read() {
        let read = question("order=amount.desc.nullslast,metadata->>a.b.asc,id&select=id,amount&limit=5&offset=2")
            .expect("a question");
        let order = r#"ORDER BY v."amount" DESC NULLS LAST, (v."metadata" ->> $1::text) ASC, v."id""#;
        assert_eq!((read.order.as_str(), read.limit, read.offset), (order, Some(5), 2));
        assert_eq!(read.values, [Bound::Text("a.b".into())]);
        assert_eq!(read.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["id", "amount"]);
    }

    #[test]
    fn what_is_no_column_or_no_operator_is_refused() {
        for query in [
            "nothing=eq.1",
            "id%22%3B--=eq.1",
            "select=id,nothing",
            "select=id::text",
            "select=count()",
            "order=nothing",
            "order=id;drop",
            "order=id.desc.asc",
            "id=1",
            "id=eq",
            "id=matches.x",
            "id=in.a,b",
            "id=in.(a",
            "id=in.(%22a)",
            "id=is.none",
            "amount->>a=eq.1",
            "limit=-1",
            "limit=x",
            "offset=1.5",
            "or=(id.eq.1)",
        ] {
            assert!(question(query).is_err(), "{query}");
        }
        assert_eq!(where_of("nothing=eq.1"), "42703 column sessions.nothing does not exist");
    }

    #[test]
    fn a_list_has_quoted_values() {
        assert_eq!(list("()"), Some(vec![]));
        assert_eq!(list("(a,,\"\")"), Some(vec!["a".into(), "".into(), "".into()]));
        for malformed in ["", "(", "a", "(\"a\"b)", "(\"a\\)"] {
            assert_eq!(list(malformed), None, "{malformed}");
        }
    }
}
