//! A list of meters from CSV (RFC 4180).
//!
//! ```text
//! meter,x_m,y_m,parent,transformer
//! m-1,10.5,-3,,T7
//! m-2,30,4,m-1,T7
//! ```
//!
//! `meter`, `x_m` and `y_m` are required, `parent` and `transformer` are not, and columns may
//! stand in any order. An empty parent leaves the choice to the routing; `root` is the
//! concentrator.

use core::fmt;
use std::collections::BTreeMap;

use super::{Place, Propagation, RoutingTree, Topology};
use crate::rng::Stream;

/// A meter of an imported list.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportedMeter {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// The station that forwards for it, if the list says: 0 is the root, n the n-th meter.
    pub parent: Option<u32>,
    /// The transformer that feeds it, empty if the list does not say.
    pub transformer: String,
    /// Line of the list, from 1.
    pub line: usize,
}

/// What is wrong with a list, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportError {
    /// Line of the file, from 1.
    pub line: usize,
    /// Field of the line, from 1; zero for the whole line.
    pub field: usize,
    /// What is wrong.
    pub message: String,
    /// What helps.
    pub hint: String,
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if self.field > 0 {
            write!(f, ", field {}", self.field)?;
        }
        write!(f, ": {} ({})", self.message, self.hint)
    }
}

impl std::error::Error for ImportError {}

/// The most meters of a list.
const METERS_MAX: usize = 1 << 24;

/// Reads a list of meters; reports everything that is wrong at once.
pub fn import(text: &str) -> Result<Vec<ImportedMeter>, Vec<ImportError>> {
    let mut importer = Importer::default();
    let mut lines = (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    match lines.next() {
        Some((line, header)) => importer.header(line, header),
        None => importer.error(
            1,
            0,
            "the list is empty",
            "a header line and a line per meter",
        ),
    }
    // Without its columns nothing in the list means anything.
    if importer.errors.is_empty() {
        for (line, text) in lines {
            importer.meter(line, text);
        }
        importer.resolve();
    }
    if importer.errors.is_empty() {
        Ok(importer.meters)
    } else {
        importer
            .errors
            .sort_by_key(|error| (error.line, error.field));
        Err(importer.errors)
    }
}

/// Finds out who hears whom in an imported list, and the tree with the parents that it gives.
///
/// Reports every meter that does not hear its given parent or has no way to the root.
pub fn connect(
    meters: &[ImportedMeter],
    propagation: &Propagation,
    stream: &mut Stream,
) -> Result<(Topology, RoutingTree), Vec<ImportError>> {
    let root = core::iter::once(Place::default());
    let places = root.chain(meters.iter().map(|meter| meter.place)).collect();
    let topology = propagation.connect(places, stream);
    let mut tree = RoutingTree::new(&topology);
    let mut errors = Vec::new();
    for (station, meter) in (1..).zip(meters) {
        let Some(parent) = meter.parent else {
            continue;
        };
        if tree.edge(station, parent).is_none() {
            let metres = meter.place.distance_m(topology.places[parent as usize]);
            errors.push(ImportError {
                line: meter.line,
                field: 0,
                message: format!(
                    "`{}` does not hear its parent, {metres:.0} m away",
                    meter.name
                ),
                hint: "leave the parent empty to let the routing choose".into(),
            });
        }
    }
    if errors.is_empty() {
        let parents: Vec<_> = core::iter::once(None)
            .chain(meters.iter().map(|meter| meter.parent))
            .collect();
        let imposed = tree.impose(&parents);
        for station in imposed.err().into_iter().chain(tree.isolated()) {
            let meter = &meters[station as usize - 1];
            errors.push(ImportError {
                line: meter.line,
                field: 0,
                message: format!("`{}` is isolated: no way leads to the root", meter.name),
                hint: "move it, add a meter between or give it another link".into(),
            });
        }
    }
    if errors.is_empty() {
        Ok((topology, tree))
    } else {
        Err(errors)
    }
}

/// Columns by name, in the order of `Importer::columns`.
const COLUMNS: [&str; 5] = ["meter", "x_m", "y_m", "parent", "transformer"];
const REQUIRED: usize = 3;

#[derive(Default)]
struct Importer {
    /// Where each of [`COLUMNS`] stands.
    columns: [Option<usize>; COLUMNS.len()],
    meters: Vec<ImportedMeter>,
    /// The parent of each meter by name.
    parents: Vec<String>,
    /// Station by name.
    stations: BTreeMap<String, u32>,
    errors: Vec<ImportError>,
}

impl Importer {
    fn error(&mut self, line: usize, field: usize, message: impl Into<String>, hint: &str) {
        let (message, hint) = (message.into(), hint.into());
        self.errors.push(ImportError {
            line,
            field,
            message,
            hint,
        });
    }

    fn header(&mut self, line: usize, text: &str) {
        for (field, name) in (1..).zip(split(text)) {
            match COLUMNS.iter().position(|&column| column == name) {
                Some(column) if self.columns[column].is_some() => {
                    self.error(line, field, format!("column `{name}` twice"), "remove one");
                }
                Some(column) => self.columns[column] = Some(field),
                None => self.error(
                    line,
                    field,
                    format!("unknown column `{name}`"),
                    "known are meter, x_m, y_m, parent, transformer",
                ),
            }
        }
        for (column, name) in COLUMNS.into_iter().enumerate().take(REQUIRED) {
            if self.columns[column].is_none() {
                let message = format!("column `{name}` is missing");
                self.error(line, 0, message, "add it to the header");
            }
        }
    }

    fn meter(&mut self, line: usize, text: &str) {
        if self.meters.len() == METERS_MAX {
            self.error(line, 0, "more than 16,777,216 meters", "split the list");
            return;
        }
        let fields = split(text);
        let field = |column: usize| {
            self.columns[column]
                .and_then(|field| fields.get(field - 1))
                .cloned()
                .unwrap_or_default()
        };
        let (name, parent, transformer) = (field(0), field(3), field(4));
        let coordinates = [field(1), field(2)];
        let columns = self.columns.map(|field| field.unwrap_or(0));
        let mut place = [0.0; 2];
        for (axis, text) in coordinates.iter().enumerate() {
            match text.parse::<f64>() {
                Ok(metres) if metres.is_finite() => place[axis] = metres,
                _ => self.error(
                    line,
                    columns[1 + axis],
                    format!("`{text}` is no coordinate"),
                    "metres as a decimal number, for example 12.5",
                ),
            }
        }
        let station = self.meters.len() as u32 + 1;
        if name.is_empty() || name == "root" {
            let message = format!("`{name}` cannot name a meter");
            self.error(line, columns[0], message, "any other name");
        } else if self.stations.insert(name.clone(), station).is_some() {
            self.error(
                line,
                columns[0],
                format!("meter `{name}` twice"),
                "names are unique",
            );
        }
        self.parents.push(parent);
        let place = Place {
            x_m: place[0],
            y_m: place[1],
        };
        self.meters.push(ImportedMeter {
            name,
            place,
            parent: None,
            transformer,
            line,
        });
    }

    /// Finds the parents by name and the cycles among them.
    fn resolve(&mut self) {
        if self.meters.is_empty() && self.errors.is_empty() {
            self.error(
                1,
                0,
                "no meter in the list",
                "a line per meter below the header",
            );
        }
        let field = self.columns[3].unwrap_or(0);
        for index in 0..self.meters.len() {
            let (line, parent) = (self.meters[index].line, self.parents[index].clone());
            self.meters[index].parent = match parent.as_str() {
                "" => None,
                "root" => Some(0),
                name => {
                    let station = self.stations.get(name).copied();
                    if station.is_none() {
                        let message = format!("parent `{name}` is not in the list");
                        self.error(
                            line,
                            field,
                            message,
                            "a meter of the list, `root` or nothing",
                        );
                    }
                    station
                }
            };
        }
        self.find_cycles(field);
    }

    /// Every cycle once, at its first meter.
    fn find_cycles(&mut self, field: usize) {
        const UNSEEN: u32 = 0;
        // The walk in which a meter was seen first, numbered by where the walk began.
        let mut seen = vec![UNSEEN; self.meters.len()];
        for start in 1..=self.meters.len() as u32 {
            let mut at = start;
            while at != 0 && seen[at as usize - 1] == UNSEEN {
                seen[at as usize - 1] = start;
                at = self.meters[at as usize - 1].parent.unwrap_or(0);
            }
            if at == 0 || seen[at as usize - 1] != start {
                continue;
            }
            let mut names = vec![self.meters[at as usize - 1].name.clone()];
            let first = at;
            loop {
                at = self.meters[at as usize - 1].parent.unwrap_or(0);
                names.push(self.meters[at as usize - 1].name.clone());
                if at == first || names.len() > 8 {
                    break;
                }
            }
            let message = format!("parents form a cycle: {}", names.join(" -> "));
            let line = self.meters[first as usize - 1].line;
            self.error(line, field, message, "one of them must lead to the root");
        }
    }
}

/// The fields of a line, without blanks and quotes around them.
fn split(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            // Two quotes within quotes are one (RFC 4180 §2).
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                fields.last_mut().expect("never empty").push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => fields.last_mut().expect("never empty").push(character),
        }
    }
    fields
        .into_iter()
        .map(|field| field.trim().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rng::Purpose;

    fn messages(text: &str) -> Vec<String> {
        import(text)
            .expect_err("the list is wrong")
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_list_is_read_with_its_columns_in_any_order() {
        let list = "# a village\nparent,meter,\"y_m\",x_m\n,a,1,-2.5\n\
                    root,\"b, \"\"rear\"\"\",0,3\na,c,0,0\n";
        let meters = import(list).expect("a good list");
        assert_eq!(
            meters[0].place,
            Place {
                x_m: -2.5,
                y_m: 1.0
            }
        );
        assert_eq!(meters[1].name, "b, \"rear\"");
        let parents: Vec<_> = meters.iter().map(|meter| meter.parent).collect();
        assert_eq!(parents, [None, Some(0), Some(1)]);
    }

    #[test]
    fn everything_wrong_is_reported_with_its_place() {
        assert_eq!(
            messages("meter,x_m,y_m,parent\na,1,x,\na,inf,2,\nb,1,1,z\nroot,0,0,\n"),
            [
                "line 2, field 3: `x` is no coordinate (metres as a decimal number, for example 12.5)",
                "line 3, field 1: meter `a` twice (names are unique)",
                "line 3, field 2: `inf` is no coordinate (metres as a decimal number, for example 12.5)",
                "line 4, field 4: parent `z` is not in the list (a meter of the list, `root` or nothing)",
                "line 5, field 1: `root` cannot name a meter (any other name)",
            ]
        );
        assert_eq!(
            messages("meter,x,y_m\n"),
            [
                "line 1: column `x_m` is missing (add it to the header)",
                "line 1, field 2: unknown column `x` (known are meter, x_m, y_m, parent, transformer)",
            ]
        );
    }

    #[test]
    fn cyclic_parents_are_reported_once() {
        let list = "meter,x_m,y_m,parent\na,0,0,b\nb,0,0,c\nc,0,0,b\nd,0,0,d\ne,0,0,root\n";
        assert_eq!(
            messages(list),
            [
                "line 3, field 4: parents form a cycle: b -> c -> b (one of them must lead to the root)",
                "line 5, field 4: parents form a cycle: d -> d (one of them must lead to the root)",
            ]
        );
    }

    #[test]
    fn a_list_without_meters_is_refused() {
        assert_eq!(
            messages(""),
            ["line 1: the list is empty (a header line and a line per meter)"]
        );
        assert_eq!(
            messages("meter,x_m,y_m\n\n"),
            ["line 1: no meter in the list (a line per meter below the header)"]
        );
    }

    fn connected(list: &str) -> Result<RoutingTree, Vec<String>> {
        let quiet = Propagation {
            shadowing_db: 0.0,
            ..Propagation::SUBURB_2_4_GHZ
        };
        let mut stream = Stream::new(1, 1, Purpose::Topology);
        match connect(&import(list).expect("a good list"), &quiet, &mut stream) {
            Ok((_, tree)) => Ok(tree),
            Err(errors) => Err(errors.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn a_connected_list_keeps_the_parents_that_it_gives() {
        let tree = connected("meter,x_m,y_m,parent\na,30,0,\nb,40,0,a\nc,60,0,\n");
        let tree = tree.expect("all within 60 m");
        let parents: Vec<_> = (1..4)
            .map(|s| tree.parent(s).map(|(parent, _)| parent))
            .collect();
        assert_eq!(parents, [Some(0), Some(1), Some(0)]);
    }

    #[test]
    fn meters_out_of_reach_are_reported_with_their_lines() {
        let far = connected("meter,x_m,y_m,parent\na,30,0,\nb,9000,0,a\nc,9000,9,\n");
        assert_eq!(
            far.expect_err("b is far"),
            ["line 3: `b` does not hear its parent, 8970 m away \
              (leave the parent empty to let the routing choose)"]
        );
        let isolated = connected("meter,x_m,y_m\na,30,0\nb,9000,0\n");
        assert_eq!(
            isolated.expect_err("b is far"),
            ["line 3: `b` is isolated: no way leads to the root \
              (move it, add a meter between or give it another link)"]
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_the_import_panic(text in "(meter|x_m|y_m|parent|root|[a-c0-9,\"\n #.-]){0,80}") {
            let _ = import(&format!("meter,x_m,y_m,parent\n{text}"));
            let _ = import(&text);
        }

        #[test]
        fn parents_that_pass_lead_somewhere(parents in proptest::collection::vec(0..12_usize, 1..12)) {
            let mut list = String::from("meter,x_m,y_m,parent\n");
            for (meter, parent) in (1..).zip(&parents) {
                let parent = if *parent == 0 { "root".into() } else { format!("m{parent}") };
                list += &format!("m{meter},0,0,{parent}\n");
            }
            if let Ok(meters) = import(&list) {
                for meter in &meters {
                    let (mut at, mut steps) = (meter.parent, 0);
                    while let Some(station @ 1..) = at {
                        at = meters[station as usize - 1].parent;
                        steps += 1;
                        prop_assert!(steps <= meters.len());
                    }
                }
            }
        }
    }
}
