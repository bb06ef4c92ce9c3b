//! Comparisons of made-up arms.

use super::*;
use crate::markup::check::assert_well_formed;

const LATENCY: &str = "auth.latency_s.p99";

fn arm(name: &str, values: &[f64]) -> Arm {
    let metrics = |value: &f64| {
        BTreeMap::from([
            (LATENCY.to_string(), *value),
            ("auth.success_ratio".to_string(), 1.0),
        ])
    };
    Arm {
        name: name.to_string(),
        replications: values.iter().map(metrics).collect(),
    }
}

fn comparison(arms: Vec<Arm>) -> Comparison {
    let levels = Vec::new();
    Comparison {
        name: "overlap <study>".to_string(),
        description: String::new(),
        factors: Vec::new(),
        points: vec![Point { levels, arms }],
        headlines: Vec::new(),
        judged: Judged::default(),
        provenance: vec![("version".to_string(), "0.1.0".to_string())],
        scenario: String::new(),
    }
}

fn expected(measured: &[Option<f64>], held: u64) -> Expected {
    Expected {
        of: "arm=plain".to_string(),
        expectation: "auth.failed = 0".to_string(),
        measured: measured.to_vec(),
        held,
    }
}

/// Two arms at two by three levels, replicated three times.
fn factorial() -> Comparison {
    let factor = |path: &str, levels: &[&str]| Factor {
        path: path.to_string(),
        levels: levels.iter().map(|level| (*level).to_string()).collect(),
    };
    let point = |(slow, size): (usize, usize)| {
        let value = (1 + slow) as f64 * 10_f64.powi(size as i32);
        Point {
            levels: vec![slow, size],
            arms: vec![
                arm("plain", &[value, value * 1.1, value * 0.9]),
                arm(
                    "defended",
                    &[value + 1.0, value * 1.1 + 1.0, value * 0.9 + 1.0],
                ),
            ],
        }
    };
    let all = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)];
    Comparison {
        factors: vec![
            factor("pana.stateless", &["false", "true"]),
            factor("headend.cores", &["1", "2", "4"]),
        ],
        points: all.into_iter().map(point).collect(),
        headlines: vec![LATENCY.to_string(), "no.such_metric".to_string()],
        judged: Judged {
            runs: 36,
            finished: 36,
            expectations: vec![
                expected(&[Some(0.0), Some(0.0), Some(0.0)], 3),
                expected(&[Some(0.0), None, Some(3.0)], 1),
            ],
        },
        ..comparison(Vec::new())
    }
}

#[test]
fn no_arms_at_all_still_give_a_page() {
    assert_well_formed(&render_comparison(&comparison(Vec::new())));
    let nothing = Comparison {
        points: Vec::new(),
        ..factorial()
    };
    assert_well_formed(&render_comparison(&nothing));
}

#[test]
fn equal_arms_differ_by_exactly_nothing() {
    let values = [0.3, 0.4, 0.35];
    let comparison = comparison(vec![arm("a", &values), arm("b", &values)]);
    let table = comparison.table(|_| true);
    let b = table.rows.iter().filter(|row| row[1] == "b".into());
    for row in b {
        assert_eq!(row[6..], [0.0.into(), 0.0.into(), 0.0.into()], "{row:?}");
    }
    assert_eq!(comparison.beyond_chance(&comparison.headlines()), (0, 2));
    let page = render_comparison(&comparison);
    assert_well_formed(&page);
    assert!(page.contains("No headline difference beyond chance among 2"));
    assert!(page.contains("<td>version</td><td>0.1.0</td>"));
}

#[test]
fn a_shift_is_found_although_replications_spread_more() {
    // Unpaired, a spread of 9 would hide a shift of 1.
    let comparison = comparison(vec![
        arm("a", &[1.0, 5.0, 10.0]),
        arm("b", &[2.0, 6.0, 11.0]),
    ]);
    let latency = comparison.table(|path| path == LATENCY);
    assert_eq!(latency.rows[1][6..], [1.0.into(), 1.0.into(), 1.0.into()]);
    assert_eq!(comparison.beyond_chance(&comparison.headlines()), (1, 2));
    assert_well_formed(&render_comparison(&comparison));
}

#[test]
fn a_replication_that_is_missing_breaks_its_pair_only() {
    let mut second = arm("b", &[2.0, 6.0, 12.0]);
    second.replications[1].clear();
    let comparison = comparison(vec![arm("a", &[1.0, 5.0, 10.0]), second]);
    assert_eq!(comparison.replications(), 2);
    let latency = comparison.table(|path| path == LATENCY);
    assert_eq!(latency.rows[1][6], 1.5.into(), "of 1 and 2");
}

#[test]
fn one_replication_has_no_interval() {
    let comparison = comparison(vec![arm("a", &[1.0]), arm("b", &[2.0])]);
    let latency = comparison.table(|path| path == LATENCY);
    assert_eq!(latency.rows[1][6..], [1.0.into(), None.into(), None.into()]);
    let page = render_comparison(&comparison);
    assert_well_formed(&page);
    assert!(page.contains("Fewer than two common replications"));
}

#[test]
fn factors_give_responses_and_differences_over_their_levels() {
    let comparison = factorial();
    assert_eq!(comparison.headlines(), [LATENCY]);
    let page = render_comparison(&comparison);
    assert_well_formed(&page);
    // The factor of three levels lies along the axis, the other one makes lines.
    for text in [
        "plain, pana.stateless false",
        "defended, pana.stateless true",
        "Mean (s), logarithmic",
        "1 of 2 expectations failed",
        "arm=plain: auth.failed = 0 – measured 0 to 3",
        "6 of 6 headline differences are beyond chance",
        "at every combination of pana.stateless (false, true) and headend.cores (1, 2, 4)",
    ] {
        assert!(page.contains(text), "{text}");
    }
    let pivot = comparison.pivot(LATENCY);
    assert_eq!(
        pivot.columns,
        ["pana.stateless", "headend.cores", "plain", "defended"]
    );
    assert_eq!(pivot.rows.len(), 6);
    assert_eq!(pivot.rows[5][..2], ["true".into(), "4".into()]);
    assert_eq!(pivot.rows[0][2], "1 (0.7516 to 1.248)".into());
}

#[test]
fn metrics_have_names_for_people() {
    for (path, expected) in [
        ("attacks.exposure_s.mean", "Attacks: exposure, mean (s)"),
        ("headend.half_open_max", "Head-end: half open max"),
        (
            "auth.success_ratio",
            "Share of authentications that succeeded",
        ),
    ] {
        assert_eq!(title(path), expected);
    }
}
