//! Rules about media that meters share.

use core::ops::{Range, RangeInclusive};

use firmware::Duration;
use models::address::CONCENTRATORS_MAX;
use models::concentrator::{Layout, Meshes};
use models::link::contention::Table;
use models::link::topology::{ImportError, connect, import};
use models::rng::Purpose;

use super::super::diagnostic::{Diagnostic, Fault, Span};
use super::super::schema::{Action, Medium, MeshTopology, Scenario};
use super::Judge;

/// The most meters of one concentrator.
const SEGMENT_METERS_MAX: u32 = 5_000;
/// How long a C12.22 relay may know a way.
const ROUTE_LIFETIMES: RangeInclusive<Duration> =
    Duration::from_secs(60)..=Duration::from_secs(366 * 86_400);
/// The most titles that a C12.22 relay remembers.
const RELAY_NODES_MAX: u32 = 100_000;
/// Concentrators of a medium whose surroundings are looked at for meters without a way.
const LOOKED_AT: usize = 100;

pub(super) fn check(scenario: &Scenario, judge: &mut Judge<'_>) {
    for (name, medium) in &scenario.media {
        let path = format!("media.{name}");
        if let Some(backhaul) = medium.backhaul() {
            check_backhaul(scenario, backhaul, &path, judge);
        }
        check_medium(medium, &path, judge);
    }
    for (index, step) in scenario.timeline.iter().enumerate() {
        if let Action::LinkLoss { medium, .. } = &step.action {
            let shared = scenario.media.get(medium);
            judge.range(
                shared.is_some_and(|medium| medium.backhaul().is_some()),
                &format!("timeline[{index}].action.medium"),
                "the loss of a shared medium follows from its links; name that of its backhaul",
            );
        }
    }
    if judge.sound(&["media", "cohorts", "headend.instances", "seed"]) {
        check_ways(scenario, judge);
    }
}

fn check_backhaul(scenario: &Scenario, backhaul: &str, path: &str, judge: &mut Judge<'_>) {
    let path = format!("{path}.backhaul");
    judge.medium(scenario, &path, backhaul);
    let shared = scenario.media.get(backhaul);
    judge.reject(
        shared.is_some_and(|medium| medium.backhaul().is_some()),
        Fault::Contradiction,
        &path,
        "a concentrator needs a point-to-point medium to the head-end, and this one is shared",
    );
}

fn check_medium(medium: &Medium, path: &str, judge: &mut Judge<'_>) {
    let (most, queue, lengths) = match medium {
        Medium::Mesh {
            topology,
            meters_per_concentrator,
            queue,
            ..
        } => {
            let lengths = check_topology(topology, &format!("{path}.topology"), judge);
            (meters_per_concentrator, queue, lengths)
        }
        Medium::G3Plc {
            meters_per_concentrator,
            cables,
            pitch_m,
            snr_db,
            scatter_db,
            queue,
            ..
        } => {
            judge.range(
                *cables == 0,
                &format!("{path}.cables"),
                "at least one cable leaves a transformer",
            );
            judge.range(
                !(0.0..=120.0).contains(snr_db),
                &format!("{path}.snr_db"),
                "the ratio must lie between 0 and 120 dB",
            );
            judge.range(
                !(0.0..=30.0).contains(scatter_db),
                &format!("{path}.scatter_db"),
                "the deviation must lie between 0 and 30 dB",
            );
            let lengths = vec![(format!("{path}.pitch_m"), *pitch_m)];
            (meters_per_concentrator, queue, lengths)
        }
        _ => return,
    };
    if let Some(relay) = medium.relay() {
        judge.range(
            !ROUTE_LIFETIMES.contains(&relay.route_lifetime),
            &format!("{path}.relay.route_lifetime"),
            "a relay knows a way for 1min to 366d",
        );
        judge.range(
            !(1..=RELAY_NODES_MAX).contains(&relay.nodes_max),
            &format!("{path}.relay.nodes_max"),
            &format!("a relay remembers 1 to {RELAY_NODES_MAX} titles"),
        );
    }
    judge.range(
        !(1..=SEGMENT_METERS_MAX).contains(most),
        &format!("{path}.meters_per_concentrator"),
        &format!("a concentrator has 1 to {SEGMENT_METERS_MAX} meters"),
    );
    judge.range(
        !(1..=10_000).contains(queue),
        &format!("{path}.queue"),
        "a station holds 1 to 10000 datagrams",
    );
    for (path, metres) in lengths {
        judge.range(
            !(0.1..=100_000.0).contains(&metres),
            &path,
            "the length must lie between 0.1 and 100000 metres",
        );
    }
}

fn check_topology(
    topology: &MeshTopology,
    path: &str,
    judge: &mut Judge<'_>,
) -> Vec<(String, f64)> {
    let at = |name: &str| format!("{path}.{name}");
    match *topology {
        MeshTopology::List { ref csv } => {
            // A file that cannot be read has been reported as such.
            if judge.sound(&[&at("csv")])
                && let Err(mistakes) = import(csv)
            {
                report_list(&mistakes, &at("csv"), csv, judge);
                judge.survey.taint(&at("csv"));
            }
            Vec::new()
        }
        MeshTopology::StreetGrid {
            lot_m,
            block_m,
            scatter_m,
        } => {
            judge.range(
                !(0.0..=1_000.0).contains(&scatter_m),
                &at("scatter_m"),
                "the deviation must lie between 0 and 1000 metres",
            );
            vec![(at("lot_m"), lot_m), (at("block_m"), block_m)]
        }
        MeshTopology::Clusters {
            clusters,
            half_side_m,
            spread_m,
        } => {
            judge.range(
                !(1..=10_000).contains(&clusters),
                &at("clusters"),
                "there are 1 to 10000 groups of meters",
            );
            vec![(at("half_side_m"), half_side_m), (at("spread_m"), spread_m)]
        }
    }
}

/// Every meter needs a way to its concentrator.
fn check_ways(scenario: &Scenario, judge: &mut Judge<'_>) {
    let meshes = scenario.meshes(|_| Table::none());
    judge.range(
        meshes.len() > CONCENTRATORS_MAX,
        "media",
        &format!("there is room for {CONCENTRATORS_MAX} concentrators"),
    );
    let names: Vec<&String> = scenario.media.keys().collect();
    for (mesh, kind) in meshes.kinds.iter().enumerate() {
        if let Layout::List {
            meters,
            propagation,
        } = &kind.layout
        {
            let path = format!("media.{}", names[kind.link]);
            let mut of_kind = (0..)
                .zip(&meshes.concentrators)
                .filter(|(_, plan)| plan.mesh == mesh);
            let (first, second) = (of_kind.next(), of_kind.next());
            let Some((number, plan)) = first else {
                continue;
            };
            let fits = second.is_none() && plan.members.len() == meters.len();
            let message = format!(
                "the list has {} meters, which must be all of one cohort at one concentrator and \
                 one head-end instance",
                meters.len()
            );
            if judge.reject(!fits, Fault::Contradiction, &path, &message) {
                continue;
            }
            let mut stream = Meshes::stream(scenario.seed, number, Purpose::Topology);
            if let Err(mistakes) = connect(meters, propagation, &mut stream)
                && let Some(Medium::Mesh {
                    topology: MeshTopology::List { csv },
                    ..
                }) = scenario.media.get(names[kind.link])
            {
                report_list(&mistakes, &format!("{path}.topology.csv"), csv, judge);
            }
            continue;
        }
        let (isolated, meters) = meshes.isolated(scenario.seed, mesh, LOOKED_AT);
        if isolated > 0 {
            let span = judge.at(&format!("media.{}", names[kind.link]));
            let message = format!(
                "{isolated} of {meters} meters hear nobody who has a way to the concentrator"
            );
            let diagnostic = Diagnostic::error(Fault::Contradiction, span, &message);
            let hint = "place meters closer together or change the seed";
            judge.report.push(diagnostic.with_hint(hint));
        }
    }
}

/// Reports what is wrong in a list of meters, where it stands.
pub(super) fn report_list(mistakes: &[ImportError], path: &str, csv: &str, judge: &mut Judge<'_>) {
    let place = judge.at(path);
    let start = judge.report.position_of(csv, place);
    for mistake in mistakes {
        let span = start.and_then(|start| {
            let within = field_range(csv, mistake.line, mistake.field)?;
            Some(Span {
                start: start + within.start as u32,
                end: start + within.end as u32,
                ..place
            })
        });
        let field = match mistake.field {
            0 => String::new(),
            field => format!(", field {field}"),
        };
        let message = format!(
            "line {}{field} of the list: {}",
            mistake.line, mistake.message
        );
        let diagnostic = Diagnostic::error(Fault::Contradiction, span.unwrap_or(place), &message);
        judge.report.push(diagnostic.with_hint(&mistake.hint));
    }
}

/// Where a field of a line stands in a list, or the whole line for field 0; both count from 1.
fn field_range(csv: &str, line: usize, field: usize) -> Option<Range<usize>> {
    let text = csv.split_inclusive('\n').nth(line.checked_sub(1)?)?;
    let start = text.as_ptr() as usize - csv.as_ptr() as usize;
    let text = text.trim_end();
    if field == 0 {
        return Some(start..start + text.len().max(1));
    }
    let (mut quoted, mut number, mut from) = (false, 1, 0);
    for (at, character) in text.char_indices().chain([(text.len(), ',')]) {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted || at == text.len() => {
                if number == field {
                    return Some(start + from..start + at.max(from + 1));
                }
                (number, from) = (number + 1, at + 1);
            }
            _ => {}
        }
    }
    Some(start..start + text.len().max(1))
}
