//! The frame around a report: head, contents, styles, script.

use crate::markup::Markup;

/// Values of the colours on a light and on a dark ground.
const LIGHT: &str = include_str!("light.css");
const DARK: &str = include_str!("dark.css");
/// How drawings look; a drawing saved to a file takes it along.
const PLOT: &str = include_str!("plot.css");
/// How everything else looks.
const PAGE: &str = include_str!("page.css");
/// Theme switch, values under the pointer, saving of drawings; the page works without.
const SCRIPT: &str = include_str!("page.js");

/// A page about to be written.
#[derive(Debug)]
pub(super) struct Page {
    /// Name of what is reported.
    pub(super) title: String,
    /// What it is about, in a sentence; may be empty.
    pub(super) description: String,
    /// A few facts for the head.
    pub(super) facts: Vec<String>,
    /// Anchors and names of the sections.
    pub(super) contents: Vec<(&'static str, &'static str)>,
    /// The sections.
    pub(super) body: String,
}

impl Page {
    /// The complete page.
    pub(super) fn write(&self) -> String {
        let mut page = Markup::new();
        page.raw("<!DOCTYPE html>\n");
        page.open("html", &[("lang", &"en")]);
        self.write_head(&mut page);
        page.open("body", &[]);
        page.element(
            "a",
            &[("class", &"skip"), ("href", &"#content")],
            "Skip to the report",
        );
        self.write_header(&mut page);
        self.write_contents(&mut page);
        page.open("main", &[("id", &"content")]);
        page.raw(&self.body);
        page.close();
        page.element(
            "footer",
            &[],
            "Written by Meterstorm. The page is complete in itself and loads nothing.",
        );
        page.open("script", &[]);
        page.raw(SCRIPT);
        page.close();
        page.close();
        page.close();
        page.raw("\n");
        page.finish()
    }

    fn write_head(&self, page: &mut Markup) {
        page.open("head", &[]);
        page.leaf("meta", &[("charset", &"utf-8")]);
        page.leaf(
            "meta",
            &[
                ("name", &"viewport"),
                ("content", &"width=device-width, initial-scale=1"),
            ],
        );
        page.leaf(
            "meta",
            &[("name", &"color-scheme"), ("content", &"light dark")],
        );
        // Nothing may be loaded: not even by mistake.
        page.leaf(
            "meta",
            &[
                ("http-equiv", &"Content-Security-Policy"),
                (
                    "content",
                    &"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      img-src data:",
                ),
            ],
        );
        page.element(
            "title",
            &[],
            format_args!("{} – Meterstorm report", self.title),
        );
        let style = |page: &mut Markup, id: &str, text: &str| {
            page.open("style", &[("id", &id)]);
            page.raw(text);
            page.close();
        };
        style(page, "style-light", &format!(":root {{\n{LIGHT}}}\n"));
        style(page, "style-dark", &dark());
        style(page, "style-plot", PLOT);
        style(page, "style-page", PAGE);
        page.close();
    }

    fn write_header(&self, page: &mut Markup) {
        page.open("header", &[]);
        page.open("div", &[("class", &"brand")]);
        page.element("span", &[("class", &"wordmark")], "Meterstorm");
        page.element(
            "button",
            &[("type", &"button"), ("id", &"theme"), ("hidden", &"hidden")],
            "Dark",
        );
        page.close();
        page.element("h1", &[], &self.title);
        if !self.description.is_empty() {
            page.element("p", &[("class", &"description")], &self.description);
        }
        page.open("ul", &[("class", &"facts")]);
        for fact in &self.facts {
            page.element("li", &[], fact);
        }
        page.close();
        page.close();
    }

    fn write_contents(&self, page: &mut Markup) {
        page.open("nav", &[("aria-label", &"Contents")]);
        page.open("ul", &[]);
        for (id, name) in &self.contents {
            page.open("li", &[]);
            page.element("a", &[("href", &format_args!("#{id}"))], name);
            page.close();
        }
        page.close();
        page.close();
    }
}

/// The dark colours, where the reader or the reader's system asks for them; never on paper.
fn dark() -> String {
    format!(
        "@media screen and (prefers-color-scheme: dark) {{\n\
         :root:not([data-theme=\"light\"]) {{\n{DARK}}}\n}}\n\
         @media screen {{\n:root[data-theme=\"dark\"] {{\n{DARK}}}\n}}\n"
    )
}
