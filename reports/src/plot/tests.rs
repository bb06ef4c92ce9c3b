//! Every plot type draws well-formed markup with its values at the right places.

use super::frame::Px;
use super::*;
use crate::export::Field;
use crate::markup::check::assert_well_formed;
use crate::stats::Interval;

const ABOUT: About<'static> = About {
    id: "figure",
    title: "A <figure>",
    caption: "What & why",
};

/// Values of an attribute of all elements of a class, in order.
fn attributes(svg: &str, class: &str, name: &str) -> Vec<String> {
    let elements = svg
        .split('<')
        .filter(|tag| tag.contains(&format!("class=\"{class}\"")));
    let value = |tag: &str| {
        let from = tag.split(&format!(" {name}=\"")).nth(1)?;
        from.split('"').next().map(str::to_string)
    };
    elements.filter_map(value).collect()
}

fn numbers(svg: &str, class: &str, name: &str) -> Vec<f64> {
    let values = attributes(svg, class, name);
    values
        .iter()
        .map(|value| value.parse().expect("a number"))
        .collect()
}

fn lines(points: Vec<(f64, f64)>) -> Lines {
    Lines {
        x: Axis::over("Time (s)", "time_s", 0.0, 10.0),
        y: Axis::over("Share", "share", 0.0, 1.0),
        series: vec![Series {
            name: "a".to_string(),
            points,
        }],
        events: Vec::new(),
    }
}

// The plotting area of the half canvas, 520 by 300, beside labels of three characters.
const LEFT: f64 = 62.4;
const RIGHT: f64 = 504.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 256.0;

#[test]
fn a_step_function_passes_through_its_points() {
    let plot = lines(vec![(0.0, 0.0), (5.0, 0.5), (10.0, 1.0)]);
    let svg = plot.draw(Size::Half, &ABOUT);
    assert_well_formed(&svg);
    let (x, y) = (f64::midpoint(LEFT, RIGHT), f64::midpoint(TOP, BOTTOM));
    assert_eq!(
        attributes(&svg, "line c0 dash0", "d"),
        [format!("M{LEFT} {BOTTOM}H{x}V{y}H{RIGHT}V{TOP}")]
    );
    assert!(svg.contains("A &lt;figure&gt;"));
    // A pointer in the middle of the second half reads 0.5.
    assert!(svg.contains("7.54 s\na: 0.5") || svg.contains("7.46 s\na: 0.5"));
}

#[test]
fn undefined_points_are_left_out() {
    let points = vec![
        (0.0, 0.0),
        (5.0, f64::NAN),
        (5.0, 1.0),
        (f64::INFINITY, 1.0),
    ];
    let plot = lines(points);
    let svg = plot.draw(Size::Half, &ABOUT);
    assert_well_formed(&svg);
    assert_eq!(
        attributes(&svg, "line c0 dash0", "d"),
        ["M62.4 256H283.2V20"]
    );
    assert_eq!(plot.table().rows[1][2], Field::Missing);
    assert_eq!(plot.table().columns, ["series", "time_s", "share"]);
}

#[test]
fn no_points_draw_an_empty_figure() {
    let svg = lines(Vec::new()).draw(Size::Wide, &ABOUT);
    assert_well_formed(&svg);
    assert_eq!(attributes(&svg, "line c0 dash0", "d"), [""]);
}

#[test]
fn a_long_legend_takes_as_many_rows_as_it_needs() {
    let mut plot = lines(Vec::new());
    let series = plot.series[0].clone();
    plot.series = (0..12)
        .map(|index| Series {
            name: format!("a rather long name {index}"),
            ..series.clone()
        })
        .collect();
    let svg = plot.draw(Size::Half, &ABOUT);
    assert_well_formed(&svg);
    let (last, top) = (numbers(&svg, "legend", "y"), numbers(&svg, "grid", "y1"));
    let highest = top.into_iter().fold(f64::MAX, f64::min);
    assert!(
        last.iter().all(|row| *row + 4.0 < highest),
        "{last:?} above {highest}"
    );
    assert!(
        numbers(&svg, "legend", "x")
            .iter()
            .all(|x| *x < 520.0 - 100.0)
    );
}

#[test]
fn bands_stack_to_their_sum() {
    let band = |name: &str, values: &[f64]| Band {
        name: name.to_string(),
        values: values.to_vec(),
    };
    let bands = vec![band("low", &[1.0, 2.0]), band("high", &[3.0, 2.0])];
    assert_eq!(Stack::totals(&bands), [4.0, 4.0]);
    let plot = Stack {
        x: Axis::over("Time (s)", "time_s", 0.0, 2.0),
        y: Axis::over("Rate", "rate", 0.0, 4.0),
        edges: vec![0.0, 1.0, 2.0],
        bands,
        events: vec![Event {
            at_s: 1.0,
            label: "power off".to_string(),
        }],
    };
    let svg = plot.draw(Size::Half, &ABOUT);
    assert_well_formed(&svg);
    // Below a legend of one row.
    let y = |value: f64| Px(BOTTOM - value / 4.0 * (BOTTOM - 34.0));
    let (x0, x1, x2) = (48.8, 276.4, 504.0);
    assert_eq!(
        attributes(&svg, "fill band c0", "d"),
        [format!(
            "M{x0} {}H{x1}V{}H{x2}V{}H{x1}V{}H{x0}Z",
            y(1.0),
            y(2.0),
            y(0.0),
            y(0.0)
        )]
    );
    assert_eq!(numbers(&svg, "event-line", "x1"), [x1]);
    assert_eq!(numbers(&svg, "probe", "width"), [227.6, 227.6]);
    let table = plot.table();
    assert_eq!(
        table.columns,
        ["series", "time_from_s", "time_to_s", "rate"]
    );
    assert_eq!(
        table.rows[3],
        ["high".into(), 1.0.into(), 2.0.into(), 2.0.into()]
    );
}

#[test]
fn bars_are_as_long_as_their_values() {
    let plot = Bars {
        x: Axis::linear("Count", "count", [10.0].into_iter()),
        column: "cause".to_string(),
        bars: vec![("a".to_string(), 10.0), ("b".to_string(), 5.0)],
    };
    let svg = plot.draw(Size::Half, &ABOUT);
    assert_well_formed(&svg);
    let widths = numbers(&svg, "fill c0", "width");
    assert_eq!(widths[0], 2.0 * widths[1]);
    assert_eq!(plot.table().rows.len(), 2);
}

#[test]
fn spans_show_where_they_fade() {
    let plot = Spans {
        x: Axis::time(0.0, 100.0),
        column: "meter".to_string(),
        rows: vec![(
            "meter 0".to_string(),
            vec![Span {
                from_s: 0.0,
                fades_s: 50.0,
                to_s: 75.0,
                label: "key".to_string(),
            }],
        )],
        events: Vec::new(),
    };
    let svg = plot.draw(Size::Wide, &ABOUT);
    assert_well_formed(&svg);
    let full = numbers(&svg, "fill c0", "width")[0];
    let faded = numbers(&svg, "fill faded c0", "width")[0];
    assert!((full - 2.0 * faded).abs() < 0.02, "{full} {faded}");
    assert_eq!(plot.table().rows[0][3], 50.0.into());
}

#[test]
fn cells_carry_a_mark_besides_their_colour() {
    let class = |style, name| Class { style, name };
    let mark = |class, x_m| Mark {
        place: (x_m, 20.0),
        class,
        label: "meter".to_string(),
    };
    let plot = Map {
        classes: vec![(class("good", "joined"), 2), (class("bad", "lost"), 1)],
        marks: vec![mark(0, -300.0), mark(1, 0.0), mark(0, 300.0)],
        edges: vec![((0.0, 20.0), (300.0, 20.0))],
        hubs: vec![(300.0, -80.0)],
        square_m: None,
    };
    let svg = plot.draw(Size::Wide, &ABOUT);
    assert_well_formed(&svg);
    // One of each in the legend.
    assert_eq!(attributes(&svg, "cell good", "x").len(), 3);
    assert_eq!(attributes(&svg, "cell bad", "x").len(), 2);
    assert_eq!(attributes(&svg, "cell-mark", "d").len(), 2);
    assert_eq!(plot.table().rows[1][3], "lost".into());
    assert_eq!(attributes(&svg, "map-edge", "d").len(), 1);
    assert_eq!(attributes(&svg, "map-hub", "d").len(), 1);
    // Places keep their distances and their order from west to east.
    let x = numbers(&svg, "cell good", "x");
    let lost = numbers(&svg, "cell bad", "x")[1];
    assert!((lost - x[1] - (x[2] - lost)).abs() < 0.02, "{x:?} {lost}");
    assert!(svg.contains("50 m"), "a scale");
}

#[test]
fn a_map_of_one_place_is_a_map() {
    let plot = Map {
        classes: Vec::new(),
        marks: Vec::new(),
        edges: Vec::new(),
        hubs: Vec::new(),
        square_m: None,
    };
    assert_well_formed(&plot.draw(Size::Wide, &ABOUT));
}

#[test]
fn whiskers_span_the_interval() {
    let plot = Intervals {
        x: Axis::over("Difference", "difference", -1.0, 1.0),
        column: "arm".to_string(),
        rows: vec![Estimate {
            name: "b".to_string(),
            interval: Interval {
                low: -0.5,
                estimate: 0.0,
                high: 0.5,
            },
            values: vec![-0.2, 0.2, f64::NAN],
        }],
    };
    let svg = plot.draw(Size::Half, &ABOUT);
    assert_well_formed(&svg);
    let (from, to) = (
        numbers(&svg, "whisker", "x1"),
        numbers(&svg, "whisker", "x2"),
    );
    let centre = numbers(&svg, "fill c0", "cx")[0];
    assert!((f64::midpoint(from[0], to[0]) - centre).abs() < 0.02);
    assert_eq!(attributes(&svg, "observation", "x1").len(), 2);
}
