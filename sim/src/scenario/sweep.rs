//! Variations of a scenario: values that are not interpreted until they are put in place.
//!
//! A factor or an arm names a value by its path, as a `--set` option does, and gives values as
//! they are written in a scenario. Every variation is decoded and checked as a scenario of its
//! own before anything runs, so a mistake is located at the path or the level that causes it.

use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};
use sha2::{Digest as _, Sha256};

use super::ast::{Name, Node, Value};
use super::decode::Decoder;
use super::diagnostic::{Report, Span};
use super::explain::Shape;
use super::field::{Field, Shown};
use super::load::{Loaded, decode};
use super::patch;
use super::schema::{Expectation, Sweep};

/// Name of the arm of a sweep that declares none.
pub const BASELINE: &str = "baseline";

/// A value as it is written, with its place.
#[derive(Clone, Debug)]
pub struct Literal {
    node: Node,
}

impl Literal {
    /// The value in the scenario language.
    pub fn to_ron(&self) -> String {
        let mut text = String::new();
        write_ron(&self.node, &mut text);
        text
    }

    /// The value for people: a text without quotation marks, all else as it is written.
    pub fn label(&self) -> String {
        match &self.node.value {
            Value::Text { text, .. } => text.clone(),
            _ => self.to_ron(),
        }
    }
}

impl PartialEq for Literal {
    fn eq(&self, other: &Self) -> bool {
        self.to_ron() == other.to_ron()
    }
}

impl Field for Literal {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        if matches!(node.value, Value::Broken | Value::Loose(_)) {
            decoder.wrong_type(node, "a value as the path needs it");
            return None;
        }
        Some(Self { node: node.clone() })
    }

    fn placeholder() -> Self {
        let span = Span {
            source: 0,
            start: 0,
            end: 0,
        };
        let value = Value::Number("1".to_owned());
        Self {
            node: Node { span, value },
        }
    }

    fn shape() -> Shape {
        Shape::Plain("a value as the path needs it")
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.to_ron();
        let raw = ron::value::RawValue::from_ron(&text).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}

fn write_ron(node: &Node, out: &mut String) {
    let name_of = |name: &Option<Name>| {
        name.as_ref()
            .map_or("", |name| name.text.as_str())
            .to_owned()
    };
    match &node.value {
        // A literal never holds either, see its decoder.
        Value::Broken => {}
        Value::Loose(text) | Value::Number(text) | Value::Word(text) => out.push_str(text),
        Value::Text { text, .. } => out.push_str(&quoted(text)),
        Value::List(items) => listed(out, ['[', ']'], items, write_ron),
        Value::Map(entries) => listed(out, ['{', '}'], entries, |(name, value), out| {
            out.push_str(&quoted(&name.text));
            out.push_str(": ");
            write_ron(value, out);
        }),
        Value::Tuple { name, items } => {
            out.push_str(&name_of(name));
            listed(out, ['(', ')'], items, write_ron);
        }
        Value::Record { name, fields } => {
            out.push_str(&name_of(name));
            listed(out, ['(', ')'], fields, |(name, value), out| {
                out.push_str(&name.text);
                out.push_str(": ");
                write_ron(value, out);
            });
        }
    }
}

fn listed<T>(out: &mut String, brackets: [char; 2], items: &[T], write: impl Fn(&T, &mut String)) {
    out.push(brackets[0]);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        write(item, out);
    }
    out.push(brackets[1]);
}

fn quoted(text: &str) -> String {
    ron::ser::to_string(text).expect("every text can be written")
}

/// Values by the paths that they are for, in the order written.
#[derive(Clone, Debug)]
pub struct Changes<T>(pub Vec<(Name, T)>);

impl<T> Default for Changes<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: PartialEq> PartialEq for Changes<T> {
    /// Wherever they stand.
    fn eq(&self, other: &Self) -> bool {
        let plain =
            |changes: &Self| -> Vec<_> { changes.0.iter().map(|(n, _)| n.text.clone()).collect() };
        plain(self) == plain(other) && self.0.iter().zip(&other.0).all(|(a, b)| a.1 == b.1)
    }
}

impl<T: Field> Field for Changes<T> {
    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let entries = match &node.value {
            Value::Map(entries) => entries,
            Value::Record { name: None, fields } if fields.is_empty() => fields,
            _ => {
                decoder.wrong_type(node, "a map in braces, as in {\"keys.overlap\": ...}");
                return None;
            }
        };
        let decoded = entries.iter().map(|(name, value)| {
            let value = decoder.descend(&name.text, value);
            (name.clone(), value.unwrap_or_else(T::placeholder))
        });
        Some(Self(decoded.collect()))
    }

    fn placeholder() -> Self {
        Self::default()
    }

    fn shape() -> Shape {
        Shape::Map(Box::new(T::shape()))
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(&name.text, &Shown(value))?;
        }
        map.end()
    }
}

/// A value and the path at which it is put.
pub type Change<'a> = (&'a Name, &'a Literal);

impl Sweep {
    /// Names of the arms.
    pub fn arm_names(&self) -> Vec<&str> {
        if self.arms.is_empty() {
            return vec![BASELINE];
        }
        self.arms.iter().map(|arm| arm.name.as_str()).collect()
    }

    /// Combinations of one level of each factor.
    pub fn points(&self) -> u64 {
        let levels = self.factors.0.iter().map(|(_, levels)| levels.len() as u64);
        levels.fold(1, u64::saturating_mul)
    }

    /// Arms times points: scenarios that differ in more than their seed.
    pub fn variants(&self) -> u64 {
        (self.arms.len().max(1) as u64).saturating_mul(self.points())
    }

    /// All runs.
    pub fn runs(&self) -> u64 {
        self.variants().saturating_mul(u64::from(self.replications))
    }

    /// Index of the level of each factor at a point. The last factor varies fastest.
    pub fn level_indices(&self, point: u64) -> Vec<usize> {
        let mut rest = point;
        let factors = self.factors.0.iter().rev();
        let mut indices: Vec<usize> = factors
            .map(|(_, levels)| {
                let count = levels.len() as u64;
                let index = rest % count;
                rest /= count;
                index as usize
            })
            .collect();
        indices.reverse();
        indices
    }

    /// The levels of a point.
    pub fn levels(&self, point: u64) -> Vec<Change<'_>> {
        let factors = self.factors.0.iter().zip(self.level_indices(point));
        factors
            .map(|((path, levels), index)| (path, &levels[index]))
            .collect()
    }

    /// Everything that an arm changes at a point.
    pub fn changes(&self, arm: usize, point: u64) -> Vec<Change<'_>> {
        let arm = self.arms.get(arm).into_iter().flat_map(|arm| &arm.set.0);
        arm.map(|(path, value)| (path, value))
            .chain(self.levels(point))
            .collect()
    }

    /// What is expected of an arm at a point; nothing if no case speaks of it.
    fn expectations(&self, arm: usize, point: u64) -> Option<Vec<Expectation>> {
        let name = self.arm_names()[arm];
        let levels = self.levels(point);
        let speaks_of = |at: &Changes<Literal>| {
            at.0.iter().all(|(path, level)| {
                let here = levels.iter().find(|(known, _)| known.text == path.text);
                here.is_some_and(|(_, here)| here.label() == level.label())
            })
        };
        let cases: Vec<_> = self
            .expect
            .iter()
            .filter(|case| case.arm.as_deref().is_none_or(|arm| arm == name))
            .filter(|case| speaks_of(&case.at))
            .collect();
        let expectations = cases.iter().flat_map(|case| &case.expect).cloned();
        (!cases.is_empty()).then(|| expectations.collect())
    }

    /// The seed of a replication, that of the scenario for the first.
    ///
    /// It depends on nothing else: all arms and points see the same random numbers.
    pub fn seed(base: u64, replication: u32) -> u64 {
        if replication == 0 {
            return base;
        }
        let mut hash = Sha256::new_with_prefix(b"meterstorm replication");
        hash.update(base.to_be_bytes());
        hash.update(replication.to_be_bytes());
        let digest = hash.finalize();
        digest[..8]
            .iter()
            .fold(0, |seed, octet| seed << 8 | u64::from(*octet))
    }
}

impl Loaded {
    /// The scenario of an arm at a point, with the expectations of its cases.
    ///
    /// # Errors
    ///
    /// If the changes make a mistake, which loading has ruled out.
    pub fn variant(&self, arm: usize, point: u64, seed: u64) -> Result<Self, Report> {
        let sweep = &self.scenario.sweep;
        let mut variant = self.changed(&sweep.changes(arm, point), seed)?;
        if let Some(expectations) = sweep.expectations(arm, point) {
            variant.scenario.expect = expectations;
        }
        Ok(variant)
    }

    /// The scenario with `changes` and without a sweep of its own.
    fn changed(&self, changes: &[Change<'_>], seed: u64) -> Result<Self, Report> {
        let mut report = self.warnings.cleared();
        let mut root = self.root.clone();
        if let Value::Record { fields, .. } = &mut root.value {
            fields.retain(|(name, _)| name.text != "sweep");
        }
        let mut overrides = self.overrides.clone();
        for (path, literal) in changes {
            patch::set(&mut root, path, &literal.node, &mut report);
            overrides.push(format!("{}={}", path.text, literal.to_ron()));
        }
        overrides.push(format!("seed={seed}"));
        let scenario = decode(&root, &mut report);
        report.sort();
        match scenario {
            Some(mut scenario) if report.errors() == 0 => {
                scenario.seed = seed;
                scenario.sweep = Sweep::default();
                Ok(Self {
                    scenario,
                    overrides,
                    files: self.files.clone(),
                    warnings: report,
                    root,
                })
            }
            _ => Err(report),
        }
    }

    /// The same if every arm is sound at every point.
    pub(super) fn check_variants(mut self) -> Result<Self, Report> {
        let sweep = &self.scenario.sweep;
        if sweep.arms.is_empty() && sweep.factors.0.is_empty() {
            return Ok(self);
        }
        let mut found = self.warnings.clone();
        for arm in 0..sweep.arms.len().max(1) {
            for point in 0..sweep.points() {
                match self.variant(arm, point, self.scenario.seed) {
                    Ok(variant) => found.absorb(variant.warnings),
                    Err(report) => found.absorb(report),
                }
            }
        }
        found.sort();
        if found.errors() > 0 {
            return Err(found);
        }
        self.warnings = found;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::super::diagnostic::Fault;
    use super::super::load_text;
    use super::*;

    fn with(sweep: &str) -> Result<Loaded, Report> {
        let text = format!(
            "(\nname: \"x\", duration: \"2h\", seed: 5,\n\
             cohorts: [(name: \"a\", count: 1, medium: \"lan\")],\n\
             media: {{\"lan\": Ethernet()}},\nsweep: {sweep},\n)"
        );
        load_text("x.ron", &text, &[])
    }

    /// The mistakes of a sweep as `line:column fault`.
    fn faults(sweep: &str) -> Vec<String> {
        let report = with(sweep).expect_err(sweep);
        let located = report.located().map(|mistake| {
            let place = mistake.location.expect("a place");
            format!("{}:{} {:?}", place.line, place.column, mistake.fault)
        });
        located.collect()
    }

    #[test]
    fn levels_are_combined_and_the_last_factor_varies_fastest() {
        let loaded = with(
            r#"(
                factors: {"cohorts.a.count": [1, 2], "keys.overlap": ["1min", "2min", "3min"]},
                arms: [(name: "on"), (name: "off", set: {"pana.stateless": true})],
                replications: 4,
            )"#,
        )
        .unwrap();
        let sweep = &loaded.scenario.sweep;
        assert_eq!(
            (sweep.points(), sweep.variants(), sweep.runs()),
            (6, 12, 48)
        );
        let labels = |point| -> Vec<String> {
            sweep
                .levels(point)
                .iter()
                .map(|(_, level)| level.label())
                .collect()
        };
        assert_eq!(labels(0), ["1", "1min"]);
        assert_eq!(labels(1), ["1", "2min"]);
        assert_eq!(labels(5), ["2", "3min"]);
        let variant = loaded.variant(1, 5, 9).unwrap();
        assert!(variant.scenario.pana.stateless);
        assert_eq!(variant.scenario.cohorts[0].count, 2);
        assert_eq!(variant.scenario.seed, 9);
        assert_eq!(variant.scenario.sweep, Sweep::default());
        let overrides = [
            "pana.stateless=true",
            "cohorts.a.count=2",
            "keys.overlap=\"3min\"",
            "seed=9",
        ];
        assert_eq!(variant.overrides, overrides);
    }

    #[test]
    fn an_expanded_sweep_reads_back() {
        let sweep = r#"(factors: {
            "keys.reauthenticate": [Every("1h", "5%"), Fraction(from: "75%", to: "90%")],
            "description": ["quotes \" and \\"],
            "pana.algorithms": [[AesCmac], [HmacSha1, AesCmac]],
            "media": [{"lan": Ethernet(loss: "1%")}],
        })"#;
        let scenario = with(sweep)
            .unwrap_or_else(|report| panic!("{report}"))
            .scenario;
        let again = load_text("again.ron", &scenario.to_ron(), &[]);
        let again = again.unwrap_or_else(|report| panic!("{report}")).scenario;
        assert_eq!(again, scenario);
    }

    #[test]
    fn mistakes_are_located_at_the_path_or_the_level() {
        let unknown = r#"(factors: {"keys.overlpa": ["1min"]})"#;
        assert_eq!(faults(unknown), ["5:25 UnknownField"]);
        let unit = r#"(factors: {"keys.overlap": ["1min", 5]})"#;
        assert_eq!(faults(unit), ["5:44 BareNumber"]);
        let within = r#"(arms: [(name: "x", set: {"keys.overlap": "1 mni"})])"#;
        assert_eq!(faults(within).len(), 1);
        let list = r#"(factors: {"cohorts.b.count": [1]})"#;
        assert_eq!(faults(list), ["5:28 UnknownReference"]);
        let no_list = r#"(factors: {"keys.overlap": "1min"})"#;
        assert_eq!(faults(no_list), ["5:35 WrongType"]);
        let path = r#"(factors: {"keys..overlap": ["1min"]})"#;
        assert_eq!(faults(path), ["5:25 Syntax"]);
        let escaped = r#"(factors: {"k\u{e9}ys.overlap": ["1min"]})"#;
        assert_eq!(faults(escaped), ["5:19 UnknownField"]);
    }

    #[test]
    fn a_combination_is_judged_as_a_whole() {
        let apart = r#"(factors: {
            "keys.session_lifetime": ["1h", "4h"],
            "keys.reauthenticate": [Every("30min"), Every("2h")],
        })"#;
        let report = with(apart).unwrap_err();
        assert_eq!(report.errors(), 1, "{report}");
        assert_eq!(report.diagnostics()[0].fault, Fault::Contradiction);
        let together = r#"(arms: [
            (name: "slow", set: {"keys.session_lifetime": "4h", "keys.reauthenticate": Every("2h")}),
        ])"#;
        assert!(with(together).is_ok());
    }

    #[test]
    fn a_run_is_judged_by_its_cases_or_else_by_the_scenario() {
        let loaded = with(
            r#"(
                factors: {"keys.overlap": ["1min", "2min"]},
                arms: [(name: "on"), (name: "off", set: {"pana.stateless": true})],
                expect: [
                    (arm: "off", expect: [AtMost("auth.failed", 1)]),
                    (arm: "off", at: {"keys.overlap": "2min"}, expect: [AtMost("auth.failed", 2)]),
                    (at: {"keys.overlap": "1min"}, expect: [AtMost("auth.failed", 3)]),
                ],
            )"#,
        );
        let loaded = loaded.unwrap_or_else(|report| panic!("{report}"));
        let bounds = |arm, point| -> Vec<String> {
            let variant = loaded.variant(arm, point, 5).expect("sound");
            let expectations = variant.scenario.expect.iter();
            expectations.map(ToString::to_string).collect()
        };
        assert_eq!(bounds(0, 0), ["auth.failed <= 3"]);
        assert_eq!(bounds(0, 1), [""; 0], "as the scenario has it");
        assert_eq!(bounds(1, 0), ["auth.failed <= 1", "auth.failed <= 3"]);
        assert_eq!(bounds(1, 1), ["auth.failed <= 1", "auth.failed <= 2"]);
    }

    #[test]
    fn a_case_of_what_does_not_exist_is_located() {
        let case = |case: &str| {
            format!(
                r#"(factors: {{"keys.overlap": ["1min"]}}, arms: [(name: "on")], expect: [{case}])"#
            )
        };
        for (text, fault) in [
            (
                r#"(arm: "of", expect: [AtMost("auth.failed", 1)])"#,
                "UnknownReference",
            ),
            (
                r#"(at: {"keys.overlpa": "1min"}, expect: [AtMost("auth.failed", 1)])"#,
                "UnknownReference",
            ),
            (
                r#"(at: {"keys.overlap": "5min"}, expect: [AtMost("auth.failed", 1)])"#,
                "UnknownReference",
            ),
            (r#"(arm: "on", expect: [])"#, "OutOfRange"),
            (
                r#"(arm: "on", expect: [AtMost("auth.fialed", 1)])"#,
                "UnknownMetric",
            ),
            (r#"(arm: "on")"#, "MissingField"),
        ] {
            let found = faults(&case(text));
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(
                found[0].starts_with("5:") && found[0].ends_with(fault),
                "{found:?}"
            );
        }
    }

    #[test]
    fn seeds_depend_on_the_replication_only_and_start_with_that_of_the_scenario() {
        assert_eq!(Sweep::seed(5, 0), 5);
        let mut seeds: Vec<u64> = (0..1_000).map(|r| Sweep::seed(5, r)).collect();
        seeds.extend((1..1_000).map(|r| Sweep::seed(6, r)));
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 1_999);
    }
}
