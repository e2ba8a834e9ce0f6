//! Rows as CSV (RFC 4180).

use crate::gateway::catalog::Column;

/// Each row is a list of texts in the columns' order; NULL is an empty field.
pub fn write(columns: &[Column], rows: &[Vec<Option<String>>]) -> String {
    let mut text = String::new();
    line(&mut text, columns.iter().map(|column| Some(column.name.as_str())));
    for row in rows {
        line(&mut text, row.iter().map(Option::as_deref));
    }
    text
}

fn line<'a>(text: &mut String, fields: impl Iterator<Item = Option<&'a str>>) {
    for (at, field) in fields.enumerate() {
        if at > 0 {
            text.push(',');
        }
        match field {
            None => {}
            Some(field) if field.is_empty() || field.contains([',', '"', '\n', '\r']) => {
                text.push('"');
                text.push_str(&field.replace('"', "\"\""));
                text.push('"');
            }
            Some(field) => text.push_str(field),
        }
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let column = |name: &str| Column { name: name.to_owned(), type_name: "text".to_owned() };
        let row = |fields: [Option<&str>; 3]| fields.map(|field| field.map(str::to_owned)).to_vec();
        let rows = [row([Some("1"), None, Some("")]), row([Some("a \"b\", c"), Some("x\ny"), Some("\\")])];
        let csv = write(&["a", "b", "c"].map(column), &rows);
        assert_eq!(csv, "a,b,c\n1,,\"\"\n\"a \"\"b\"\", c\",\"x\ny\",\\\n");
    }
}
