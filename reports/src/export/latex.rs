//! Tables for LaTeX documents, in the style of the `booktabs` package.

use super::{Field, Table};
use crate::markup::push;
use crate::number;

/// A table as a LaTeX `tabular`: words left, numbers right, four significant digits.
///
/// The document needs `\usepackage{booktabs}`.
#[must_use]
pub fn latex(table: &Table) -> String {
    let is_numeric = |column: usize| {
        let mut values = table.rows.iter().map(|row| &row[column]);
        !values.any(|value| matches!(value, Field::Text(_)))
    };
    let alignment: String = (0..table.columns.len())
        .map(|column| if is_numeric(column) { 'r' } else { 'l' })
        .collect();
    let mut text = format!("\\begin{{tabular}}{{{alignment}}}\n\\toprule\n");
    let header = table.columns.iter().map(|name| escaped(name));
    line(&mut text, header);
    text.push_str("\\midrule\n");
    for row in &table.rows {
        line(&mut text, row.iter().map(field));
    }
    text.push_str("\\bottomrule\n\\end{tabular}\n");
    text
}

fn line(text: &mut String, fields: impl Iterator<Item = String>) {
    let fields: Vec<_> = fields.collect();
    push!(*text, "{} \\\\\n", fields.join(" & "));
}

fn field(field: &Field) -> String {
    match field {
        Field::Missing => "--".to_string(),
        Field::Number(number) => number::significant(*number, 4)
            .replace(',', "{,}")
            .replace('\u{2212}', "$-$"),
        Field::Text(text) => escaped(text),
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                out.push('\\');
                out.push(character);
            }
            '\\' => out.push_str("\\textbackslash{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '<' => out.push_str("\\textless{}"),
            '>' => out.push_str("\\textgreater{}"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_escaped_and_numbers_grouped() {
        let mut table = Table::new(["arm", "latency_s"]);
        table.push(["50% & more".into(), 12_345.678.into()]);
        table.push(["none".into(), None.into()]);
        table.push(["less".into(), (-2.0).into()]);
        assert_eq!(
            latex(&table),
            "\\begin{tabular}{lr}\n\\toprule\narm & latency\\_s \\\\\n\\midrule\n\
             50\\% \\& more & 12{,}346 \\\\\nnone & -- \\\\\n\
             less & $-$2 \\\\\n\\bottomrule\n\\end{tabular}\n"
        );
    }
}
