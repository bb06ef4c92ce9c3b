//! The head of the page: what came out, before how.

use serde_json::Value;

use super::format::counted;
use super::run::Run;
use super::section::write_table;
use crate::export::Table;
use crate::markup::Markup;
use crate::number::{duration, grouped, percent, prefixed, significant};
use crate::stats::proportion_interval;

/// Confidence level of the intervals in the tiles.
const LEVEL: f64 = 0.95;

/// An expectation of the scenario and whether it holds.
#[derive(Clone, Debug, PartialEq)]
struct Verdict {
    expectation: String,
    measured: Option<f64>,
    holds: bool,
}

pub(super) fn write(run: &Run, page: &mut Markup) {
    let verdicts = verdicts(&run.summary);
    write_verdict(run, &verdicts, page);
    page.open("div", &[("class", &"tiles")]);
    for tile in tiles(run) {
        tile.write(page);
    }
    page.close();
    if !verdicts.is_empty() {
        write_expectations(&verdicts, page);
    }
    write_events(run, page);
    write_attackers(run, page);
}

/// Who attacked, with which capability, and what came of it.
fn write_attackers(run: &Run, page: &mut Markup) {
    let attackers = run.summary["attackers"].as_array().into_iter().flatten();
    let mut table = Table::new([
        "attacker",
        "attack",
        "capability",
        "actions",
        "accepted",
        "rejected",
    ]);
    for attacker in attackers {
        let text = |key: &str| attacker[key].as_str().unwrap_or("").replace('_', " ");
        let [actions, accepted, rejected] =
            ["actions", "accepted", "rejected"].map(|key| attacker[key].as_f64().into());
        let name = attacker["name"].as_str().unwrap_or("");
        table.push([
            name.into(),
            text("attack").into(),
            text("capability").into(),
            actions,
            accepted,
            rejected,
        ]);
    }
    if !table.rows.is_empty() {
        write_table(page, "Attackers and their capabilities", &table);
    }
}

fn verdicts(summary: &Value) -> Vec<Verdict> {
    let all = summary["expectations"].as_array();
    let verdict = |value: &Value| Verdict {
        expectation: value["expectation"].as_str().unwrap_or("").to_string(),
        measured: value["measured"].as_f64(),
        holds: value["holds"].as_bool().unwrap_or(false),
    };
    all.into_iter().flatten().map(verdict).collect()
}

fn write_verdict(run: &Run, verdicts: &[Verdict], page: &mut Markup) {
    let failed = verdicts.iter().filter(|verdict| !verdict.holds).count();
    let all = verdicts.len() as u64;
    let (class, mark, words) = match failed {
        _ if !run.is_complete() => (
            "fair",
            "!",
            format!(
                "The run ended early, after {} of virtual time: the numbers cover what came before",
                duration(run.end_s())
            ),
        ),
        0 if all == 0 => (
            "none",
            "–",
            "The scenario states no expectations".to_string(),
        ),
        0 if all == 1 => ("good", "✓", "The expectation holds".to_string()),
        0 => ("good", "✓", format!("All {all} expectations hold")),
        failed => (
            "bad",
            "✗",
            format!("{failed} of {} failed", counted(all, "expectation")),
        ),
    };
    page.open("p", &[("class", &format_args!("verdict {class}"))]);
    page.element(
        "span",
        &[("class", &"badge"), ("aria-hidden", &"true")],
        mark,
    );
    page.open("span", &[]);
    page.element("strong", &[], words);
    for verdict in verdicts.iter().filter(|verdict| !verdict.holds) {
        page.leaf("br", &[]);
        page.element("code", &[], &verdict.expectation);
        match verdict.measured {
            Some(measured) => page.text(format_args!(" – measured {}", significant(measured, 4))),
            None => page.text(" – nothing was measured"),
        }
    }
    page.close();
    page.close();
}

/// A headline number.
struct Tile {
    name: &'static str,
    value: String,
    notes: Vec<String>,
}

impl Tile {
    fn write(&self, page: &mut Markup) {
        page.open("div", &[("class", &"tile")]);
        page.element("p", &[("class", &"tile-name")], self.name);
        page.element("p", &[("class", &"tile-value")], &self.value);
        for note in &self.notes {
            page.element("p", &[("class", &"tile-note")], note);
        }
        page.close();
    }
}

/// Headline numbers of the tables that the run recorded.
fn tiles(run: &Run) -> Vec<Tile> {
    let share = |name, part: &str, whole: &str, noun: &str| {
        let (part, whole) = (run.count(part), run.count(whole));
        let interval = proportion_interval(part.min(whole), whole, LEVEL)?;
        let notes = vec![
            format!("{} of {}", grouped(part), counted(whole, noun)),
            format!(
                "95 % interval {} to {}",
                percent(interval.low),
                percent(interval.high)
            ),
        ];
        Some(Tile {
            name,
            value: percent(interval.estimate),
            notes,
        })
    };
    let spread = |name, path: &str| {
        let quantile = |q: &str| run.number(&format!("{path}.{q}")).map(duration);
        Some(Tile {
            name,
            value: quantile("p95")?,
            notes: vec![
                format!("half within {}", quantile("p50")?),
                format!("all within {}", quantile("max")?),
            ],
        })
    };
    let tiles = [
        share("Meters joined", "meters.joined", "meters.count", "meter"),
        spread("Time to join, 95 %", "meters.time_to_join_s"),
        rotations(run),
        late_keys(run),
        share(
            "Authentications succeeded",
            "auth.succeeded",
            "auth.attempts",
            "attempt",
        ),
        share(
            "Interval reads delivered",
            "reads.delivered",
            "reads.due",
            "read",
        ),
        overhead(run),
        headend(run),
    ];
    tiles.into_iter().flatten().collect()
}

fn rotations(run: &Run) -> Option<Tile> {
    let mean = run.number("keys.rotations_per_meter.mean")?;
    let [min, max] = ["min", "max"].map(|q| run.count(&format!("keys.rotations_per_meter.{q}")));
    Some(Tile {
        name: "Key rotations per meter",
        value: significant(mean, 3),
        notes: vec![
            format!("{min} to {max} per meter"),
            format!("{} in all", grouped(run.count("keys.rotations"))),
        ],
    })
}

fn late_keys(run: &Run) -> Option<Tile> {
    let late = run.number("keys.used_after_expiry")?;
    let lifetime = run.number("keys.lifetime_s.max").map(duration);
    let mut notes = vec![format!(
        "of {} derived",
        counted(run.count("keys.derived"), "key")
    )];
    notes.extend(lifetime.map(|max| format!("longest life {max}")));
    Some(Tile {
        name: "Keys used after expiry",
        value: grouped(late as u64),
        notes,
    })
}

fn overhead(run: &Run) -> Option<Tile> {
    let ratio = run.number("traffic.pana_per_c1222")?;
    let [pana, c1222] =
        ["pana_bytes", "c1222_bytes"].map(|path| run.number(&format!("traffic.{path}")));
    Some(Tile {
        name: "Authentication per application octet",
        value: significant(ratio, 3),
        notes: vec![
            format!("PANA {}", prefixed(pana?, "B")),
            format!("C12.22 {}", prefixed(c1222?, "B")),
        ],
    })
}

fn headend(run: &Run) -> Option<Tile> {
    let peak = run.number("headend.utilisation_max")?;
    Some(Tile {
        name: "Head-end utilisation, peak",
        value: percent(peak),
        notes: vec![
            format!("longest queue {}", grouped(run.count("headend.queue_max"))),
            format!("{} dropped", grouped(run.count("headend.dropped"))),
        ],
    })
}

fn write_expectations(verdicts: &[Verdict], page: &mut Markup) {
    page.open("div", &[("class", &"card")]);
    page.element("h3", &[], "Expectations of the scenario");
    page.open("div", &[("class", &"rows"), ("tabindex", &0)]);
    page.open("table", &[]);
    page.open("thead", &[]);
    page.open("tr", &[]);
    for (name, class) in [
        ("verdict", "text"),
        ("expectation", "text"),
        ("measured", "number"),
    ] {
        page.element("th", &[("scope", &"col"), ("class", &class)], name);
    }
    page.close();
    page.close();
    page.open("tbody", &[]);
    for verdict in verdicts {
        let (class, words) = if verdict.holds {
            ("holds", "✓ holds")
        } else {
            ("fails", "✗ failed")
        };
        page.open("tr", &[]);
        page.element("td", &[("class", &class)], words);
        page.open("td", &[]);
        page.element("code", &[], &verdict.expectation);
        page.close();
        let measured = verdict
            .measured
            .map_or("–".to_string(), |value| significant(value, 6));
        page.element("td", &[("class", &"number")], measured);
        page.close();
    }
    (0..4).for_each(|_| page.close());
}

/// What the scenario's timeline did; figures mark the times.
fn write_events(run: &Run, page: &mut Markup) {
    let events = run.events();
    if events.is_empty() {
        return;
    }
    page.open("div", &[("class", &"card")]);
    page.element("h3", &[], "Timeline of the scenario");
    page.element("p", &[], "Figures over time mark these with a triangle.");
    page.open("ul", &[]);
    for event in events {
        page.open("li", &[]);
        page.element("strong", &[], duration(event.at_s));
        page.text(format_args!(" {}", event.label));
        page.close();
    }
    page.close();
    page.close();
}
