//! A section of the page: a heading, a lead sentence, figures and tables.

use super::format::data_uri;
use crate::export::{Field, Table, csv, latex};
use crate::markup::Markup;
use crate::number::significant;
use crate::plot::{Figure, Size};

/// Rows up to which a figure's numbers are also shown as a table.
const ROWS_SHOWN: usize = 60;

/// A section of the page.
#[derive(Debug)]
pub(super) struct Section {
    /// Anchor.
    pub(super) id: &'static str,
    /// Heading.
    pub(super) title: &'static str,
    /// What to take away, in a sentence or two.
    pub(super) lead: String,
    /// Figures in order.
    pub(super) figures: Vec<Figure>,
    /// Tables with their titles.
    pub(super) tables: Vec<(String, Table)>,
}

impl Section {
    pub(super) fn new(id: &'static str, title: &'static str, lead: String) -> Self {
        Self {
            id,
            title,
            lead,
            figures: Vec::new(),
            tables: Vec::new(),
        }
    }

    /// Whether there is anything to show.
    pub(super) fn is_empty(&self) -> bool {
        self.figures.is_empty() && self.tables.is_empty()
    }

    pub(super) fn write(&self, page: &mut Markup) {
        page.open("section", &[("id", &self.id)]);
        page.element("h2", &[], self.title);
        if !self.lead.is_empty() {
            page.element("p", &[("class", &"lead")], &self.lead);
        }
        page.open("div", &[("class", &"figures")]);
        for figure in &self.figures {
            write_figure(page, figure);
        }
        // A table fills the gap that an odd number of figures leaves.
        let halves = self
            .figures
            .iter()
            .filter(|figure| figure.size == Size::Half);
        let (beside, below) = self
            .tables
            .split_at(self.tables.len().min(halves.count() % 2));
        for (title, table) in beside {
            write_card(page, "card half", title, table);
        }
        page.close();
        for (title, table) in below {
            write_table(page, title, table);
        }
        page.close();
    }
}

fn write_figure(page: &mut Markup, figure: &Figure) {
    let class = match figure.size {
        Size::Half => "card half",
        Size::Wide => "card wide",
    };
    page.open("figure", &[("id", &figure.id), ("class", &class)]);
    page.open("figcaption", &[]);
    page.element("h3", &[], &figure.title);
    page.element("p", &[], &figure.caption);
    page.close();
    // A drawing keeps its size on a small screen and scrolls; the scrolling area takes the focus.
    let name = format!("Figure: {}", figure.title);
    page.open(
        "div",
        &[
            ("class", &"drawing"),
            ("tabindex", &0),
            ("role", &"group"),
            ("aria-label", &name),
        ],
    );
    page.raw(&figure.svg);
    page.close();
    if figure.table.rows.len() <= ROWS_SHOWN {
        page.open("details", &[]);
        page.element("summary", &[], "Numbers");
        write_rows(page, &figure.table);
        page.close();
    }
    page.open("p", &[("class", &"links")]);
    write_downloads(page, &figure.id, &figure.table);
    let label = format!("Save figure {} as SVG", figure.title);
    page.element(
        "button",
        &[
            ("type", &"button"),
            ("class", &"save-svg"),
            ("data-name", &format_args!("{}.svg", figure.id)),
            ("aria-label", &label),
        ],
        "SVG",
    );
    page.close();
    page.close();
}

/// A titled table with its downloads.
pub(super) fn write_table(page: &mut Markup, title: &str, table: &Table) {
    write_card(page, "card", title, table);
}

fn write_card(page: &mut Markup, class: &str, title: &str, table: &Table) {
    page.open("div", &[("class", &class)]);
    page.element("h3", &[], title);
    write_rows(page, table);
    page.open("p", &[("class", &"links")]);
    let words = title.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    write_downloads(page, &words.join("-").to_lowercase(), table);
    page.close();
    page.close();
}

fn write_downloads(page: &mut Markup, name: &str, table: &Table) {
    for (extension, media_type, text) in [
        ("csv", "text/csv", csv(table)),
        ("tex", "application/x-tex", latex(table)),
    ] {
        // A long table belongs into a spreadsheet, not into a document.
        if extension == "tex" && table.rows.len() > ROWS_SHOWN {
            continue;
        }
        let file = format!("{name}.{extension}");
        let label = extension.replace("tex", "LaTeX").replace("csv", "CSV");
        let attributes: [(&str, &dyn std::fmt::Display); 3] = [
            ("href", &data_uri(media_type, &text)),
            ("download", &file),
            ("aria-label", &format_args!("Download {file}")),
        ];
        page.element("a", &attributes, label);
    }
}

/// A table's rows; numbers are right-aligned.
pub(super) fn write_rows(page: &mut Markup, table: &Table) {
    page.open("div", &[("class", &"rows"), ("tabindex", &0)]);
    page.open("table", &[]);
    page.open("thead", &[]);
    page.open("tr", &[]);
    for (index, name) in table.columns.iter().enumerate() {
        let is_number = |row: &Vec<Field>| matches!(row[index], Field::Number(_));
        let class = if table.rows.iter().any(is_number) {
            "number"
        } else {
            "text"
        };
        page.element("th", &[("class", &class), ("scope", &"col")], name);
    }
    page.close();
    page.close();
    page.open("tbody", &[]);
    for row in &table.rows {
        page.open("tr", &[]);
        for field in row {
            match field {
                Field::Missing => page.element("td", &[("class", &"number")], "–"),
                Field::Number(number) => {
                    page.element("td", &[("class", &"number")], significant(*number, 4));
                }
                Field::Text(text) => page.element("td", &[], text),
            }
        }
        page.close();
    }
    page.close();
    page.close();
    page.close();
}
