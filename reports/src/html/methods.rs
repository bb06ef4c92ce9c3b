//! The end of the page: how the numbers came about, and how to get them again.

use serde_json::Value;

use super::format::counted;
use super::run::Run;
use super::section::write_table;
use crate::export::Table;
use crate::markup::Markup;
use crate::number::{duration, grouped, significant};

pub(super) fn write(run: &Run, page: &mut Markup) {
    page.open("section", &[("id", &"methods")]);
    page.element("h2", &[], "Methods and provenance");
    page.element("p", &[("class", &"prose")], methods(run));
    page.element("p", &[("class", &"prose")], ESTIMATORS);
    write_reproduction(run, page);
    write_table(page, "Provenance", &provenance(run));
    write_metrics(run, page);
    let scenario = run.text("scenario");
    if !scenario.is_empty() {
        page.open("details", &[("class", &"card")]);
        page.element(
            "summary",
            &[],
            "The scenario, with inheritance and defaults written out",
        );
        page.open("pre", &[("tabindex", &0)]);
        page.element("code", &[], scenario);
        page.close();
        page.close();
    }
    page.close();
}

const ESTIMATORS: &str = "Quantiles are those of definition 7 of Hyndman and Fan (1996) over every \
    recorded value. Intervals of shares are Wilson's score intervals at 95 % and take attempts as \
    independent; a single run says nothing about the spread between seeds, for which runs are \
    replicated and compared. Times are virtual time since the start of the run; a bin includes its \
    begin and excludes its end.";

/// What was simulated, ready to be quoted.
fn methods(run: &Run) -> String {
    let digest = run.text("digest");
    let mut text = format!(
        "The scenario \u{201c}{}\u{201d} was simulated with Meterstorm {} for {} of virtual time with \
         seed {}. {} ran the protocol code of a meter, and the head-end that of a server: PANA (RFC \
         5191) with EAP-PSK (RFC 4764), key derivation, and ANSI C12.22 messages protected under the \
         derived keys, octet by octet.",
        run.name(),
        run.text("version"),
        duration(run.end_s()),
        run.manifest["seed"],
        counted(run.count("meters.count"), "meter"),
    );
    if let Some(start) = run.manifest["start"].as_str() {
        text += &format!(" Virtual time zero is {start}.");
    }
    if !digest.is_empty() {
        text += &format!(
            " The run processed {} events and ended with the digest {digest}; the same scenario, \
             seed and version give the same digest and the same tables on any number of threads.",
            grouped(run.manifest["events"].as_u64().unwrap_or(0)),
        );
    }
    text
}

fn write_reproduction(run: &Run, page: &mut Markup) {
    let files = run.manifest["files"].as_array();
    let Some(file) = files.and_then(|files| files.first()?.as_str()) else {
        return;
    };
    let mut command = format!("meterstorm run {}", shell(file));
    for change in run.manifest["overrides"].as_array().into_iter().flatten() {
        if let Some(change) = change.as_str() {
            command += &format!(" --set {}", shell(change));
        }
    }
    page.element("p", &[("class", &"prose")], "This command repeats the run:");
    page.open("pre", &[("class", &"command")]);
    page.element("code", &[], command);
    page.close();
}

/// A word as a POSIX shell reads it.
fn shell(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-=:,%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn provenance(run: &Run) -> Table {
    let mut table = Table::new(["what", "value"]);
    let mut add = |what: &str, value: String| {
        if !value.is_empty() && value != "null" {
            table.push([what.into(), value.into()]);
        }
    };
    let plain = |value: &Value| value.as_str().map_or(value.to_string(), str::to_string);
    let manifest = &run.manifest;
    add(
        "program",
        format!("{} {}", run.text("program"), run.text("version")),
    );
    add("scenario", run.name());
    add(
        "scenario digest (SHA-256)",
        plain(&manifest["scenario_digest"]),
    );
    add("seed", plain(&manifest["seed"]));
    let overrides = manifest["overrides"].as_array().into_iter().flatten();
    let overrides: Vec<_> = overrides.map(plain).collect();
    add("overrides", overrides.join(", "));
    add("digest of the trajectory", plain(&manifest["digest"]));
    add("result schema version", plain(&manifest["schema_version"]));
    add(
        "complete",
        if run.is_complete() { "yes" } else { "no" }.to_string(),
    );
    let wall = manifest["wall_s"].as_f64().map(|wall| {
        let threads = counted(manifest["threads"].as_u64().unwrap_or(1), "thread");
        format!("{} s on {threads}", significant(wall, 3))
    });
    add("wall-clock time", wall.unwrap_or_default());
    let host = &manifest["host"];
    if host.is_object() {
        let (os, architecture) = (plain(&host["os"]), plain(&host["architecture"]));
        add(
            "host",
            format!("{os}, {architecture}, {} cores", host["cores"]),
        );
    }
    let tables = run.results.tables();
    let names: Vec<_> = tables.iter().map(|table| table.name).collect();
    add("result tables", names.join(", "));
    table
}

/// Every metric of the summary, folded away.
fn write_metrics(run: &Run, page: &mut Markup) {
    let mut table = Table::new(["metric", "value", "meaning"]);
    for metric in crate::summary::metrics() {
        let value = run.number(&metric.path);
        if value.is_some() {
            table.push([metric.path.as_str().into(), value.into(), metric.doc.into()]);
        }
    }
    page.open("details", &[("class", &"folded")]);
    page.element("summary", &[], "Every metric of the summary");
    write_table(page, "Metrics", &table);
    page.close();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_the_shell() {
        assert_eq!(shell("scenarios/a.ron"), "scenarios/a.ron");
        assert_eq!(shell("name=\"it's\""), "'name=\"it'\\''s\"'");
        assert_eq!(shell(""), "''");
    }
}
