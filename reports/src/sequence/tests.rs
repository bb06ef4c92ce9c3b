use super::*;
use crate::markup::check::assert_well_formed;

const SECOND: u64 = 1_000_000_000;

fn arrow(time_ns: u64, from: usize, to: usize) -> Arrow {
    Arrow {
        time_ns,
        from,
        to,
        kind: Kind::Pana,
        label: "PAR".to_owned(),
        detail: "EAP-PSK 1".to_owned(),
        lost: None,
        repeated: false,
        attack: None,
        unsound: false,
        story: "frame 1".to_owned(),
    }
}

fn chart(arrows: Vec<Arrow>) -> Sequence {
    let lifeline = |name: &str| Lifeline {
        name: name.to_owned(),
        detail: "10.0.0.1".to_owned(),
    };
    Sequence {
        title: "Meter 3".to_owned(),
        subtitle: "x.pcapng".to_owned(),
        lifelines: vec![
            lifeline("meter 3"),
            lifeline("relay"),
            lifeline("head-end 0"),
        ],
        arrows,
        ..Sequence::default()
    }
}

#[test]
fn every_arrow_is_drawn_and_marked() {
    let lost = Arrow {
        lost: Some("lost".to_owned()),
        ..arrow(2 * SECOND, 1, 2)
    };
    let again = Arrow {
        repeated: true,
        ..arrow(3 * SECOND, 1, 2)
    };
    let forged = Arrow {
        attack: Some("forged by eve".to_owned()),
        unsound: true,
        ..arrow(4 * SECOND, 2, 0)
    };
    let svg = chart(vec![
        arrow(SECOND, 0, 1),
        lost,
        again,
        forged,
        arrow(5 * SECOND, 0, 0),
    ])
    .draw();
    assert_well_formed(&svg);
    assert_eq!(svg.matches("<g class=\"arrow ").count(), 5);
    assert_eq!(svg.matches("class=\"cross\"").count(), 1);
    assert_eq!(
        svg.matches("class=\"tip\"").count(),
        4,
        "a lost one has none"
    );
    for words in ["lost on its way", "sent again", "! unsound · forged by eve"] {
        assert!(svg.contains(words), "{words}");
    }
}

#[test]
fn hostile_texts_stay_texts() {
    let hostile = "</text></svg><script>alert(1)</script>&\u{0}\"'";
    let mut chart = chart(vec![Arrow {
        label: hostile.to_owned(),
        detail: hostile.to_owned(),
        lost: Some(hostile.to_owned()),
        attack: Some(hostile.to_owned()),
        story: hostile.to_owned(),
        ..arrow(0, 0, 2)
    }]);
    chart.title = hostile.to_owned();
    chart.subtitle = hostile.to_owned();
    chart.notes = vec![hostile.to_owned()];
    chart.lifelines[0].name = hostile.to_owned();
    chart.epochs = vec![Epoch {
        name: hostile.to_owned(),
        story: hostile.to_owned(),
        from_ns: 0,
        superseded_ns: None,
        to_ns: None,
    }];
    let svg = chart.draw();
    assert_well_formed(&svg);
    assert!(!svg.contains("<script"));
}

#[test]
fn time_runs_down_and_keys_lie_between_the_rows() {
    let chart = chart(vec![
        arrow(SECOND, 0, 2),
        arrow(3 * SECOND, 2, 0),
        arrow(60 * SECOND, 0, 2),
    ]);
    let layout = Layout::new(&chart);
    let rows: Vec<f64> = layout.rows.iter().map(|row| row.y).collect();
    assert!(rows[0] < rows[1] && rows[1] < rows[2]);
    assert_eq!(layout.rows[2].pause.map(|(_, ns)| ns), Some(57 * SECOND));
    assert_eq!(layout.rows[1].pause, None);
    assert_eq!(layout.y(2 * SECOND), f64::midpoint(rows[0], rows[1]));
    assert_eq!(layout.y(3 * SECOND), rows[1]);
    assert!(layout.y(0) < rows[0] && layout.y(0) > layout.top);
    assert_eq!(layout.y(u64::MAX), layout.bottom);
    let svg = chart.draw();
    assert!(
        svg.contains("57 s later") || svg.contains("57.0 s later"),
        "{svg}"
    );
}

#[test]
fn keys_that_overlap_stand_side_by_side() {
    let epoch = |name: &str, from_s: u64, superseded_s: u64, to_s: u64| Epoch {
        name: name.to_owned(),
        story: String::new(),
        from_ns: from_s * SECOND,
        superseded_ns: Some(superseded_s * SECOND),
        to_ns: Some(to_s * SECOND),
    };
    let mut chart = chart((0..10).map(|second| arrow(second * SECOND, 0, 2)).collect());
    chart.epochs = vec![
        epoch("a", 0, 3, 5),
        epoch("b", 3, 6, 8),
        epoch("c", 6, 9, 9),
    ];
    let svg = chart.draw();
    let places: Vec<&str> = svg
        .split("<rect class=\"key\" x=\"")
        .skip(1)
        .map(|rest| rest.split_once('"').expect("a value").0)
        .collect();
    assert_eq!(places.len(), 3);
    assert_ne!(places[0], places[1]);
    assert_eq!(places[0], places[2], "the first lane is free again");
    assert_eq!(
        svg.matches("class=\"old\"").count(),
        2,
        "the last one just ends"
    );
}

#[test]
fn long_texts_are_cut_visibly() {
    assert_eq!(layout::cut("abcdef", 4), "abc…");
    assert_eq!(layout::cut("abcd", 4), "abcd");
    let words = "word ".repeat(100);
    let lines = layout::wrap(&words, 20);
    assert_eq!(lines.len(), 2);
    assert!(lines[1].ends_with('…') && lines.iter().all(|line| line.chars().count() <= 20));
    assert_eq!(layout::wrap("", 20), [""; 0]);
    assert_eq!(layout::clock(3_723_004 * 1_000_000), "1:02:03.004");
}
