//! `meterstorm dissect`: a capture, read with the parsers of the firmware.

use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use firmware::Duration;

use super::{Exit, Failure};
use crate::dissect::{Capture, Chart, Frame, KeyRing, Protocol, Selection};
use crate::scenario::units::Quantity;

/// Shows what a capture contains: PANA, EAP-PSK and C12.22, verified and decrypted
///
/// Reads pcapng and pcap files, those of runs and of others. With the key log of a run, AUTH and
/// MAC values are verified and C12.22 and EAP-PSK decrypted. A line that starts with `!` marks
/// what cannot be read, breaks a rule or fails to verify.
#[derive(Args, Clone, Debug)]
pub(super) struct DissectArgs {
    /// Capture file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Key log [default: FILE with the ending .keys.jsonl, if it is there]
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    #[command(flatten)]
    selection: SelectionArgs,
    /// One line per frame
    #[arg(long, conflicts_with = "json")]
    summary: bool,
    /// One JSON object per frame and line
    #[arg(long)]
    json: bool,
    /// Draw the datagrams of one meter or address as a message-sequence chart
    #[arg(long, value_name = "FILE.svg", conflicts_with_all = ["json", "summary"])]
    chart: Option<PathBuf>,
}

/// Which frames are shown; all conditions have to hold.
#[derive(Args, Clone, Debug)]
struct SelectionArgs {
    /// Frames to, from or about this meter; may be repeated
    #[arg(long, value_name = "N")]
    meter: Vec<u32>,
    /// Frames to, from or about this address; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    address: Vec<IpAddr>,
    /// Frames of this protocol; may be repeated
    #[arg(long, value_enum)]
    protocol: Vec<ProtocolName>,
    /// Frames from this virtual time on, such as `1h`
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    from: Option<Duration>,
    /// Frames before this virtual time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<Duration>,
    /// Frames of which something cannot be read, breaks a rule or fails to verify
    #[arg(long)]
    unsound: bool,
}

/// A protocol on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProtocolName {
    /// PANA, with or without EAP inside
    Pana,
    /// PANA with EAP inside
    Eap,
    /// C12.22
    C1222,
    /// Frames of home area networks, IEEE 802.15.4
    Han,
    /// Anything else
    Other,
}

impl From<ProtocolName> for Protocol {
    fn from(name: ProtocolName) -> Self {
        match name {
            ProtocolName::Pana => Self::Pana,
            ProtocolName::Eap => Self::Eap,
            ProtocolName::C1222 => Self::C1222,
            ProtocolName::Han => Self::Han,
            ProtocolName::Other => Self::Other,
        }
    }
}

fn parse_time(text: &str) -> Result<Duration, String> {
    Duration::parse(text).map_err(|error| format!("{}; {} is needed", error.why, Duration::WANTED))
}

impl DissectArgs {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<Exit, Failure> {
        let file = read(&self.file)?;
        let capture = Capture::new(&file, self.read_keys()?)
            .map_err(|error| Failure::Usage(format!("{}: {error}", self.file.display())))?;
        let selection = self.selection.resolve(&capture)?;
        if let Some(path) = &self.chart {
            return self.draw(path, &capture, &selection, out);
        }
        let mut text = String::new();
        for frame in capture.frames() {
            let frame = frame.map_err(|error| {
                // What came before it has been shown.
                Failure::Usage(format!("{}: {error}", self.file.display()))
            })?;
            if selection.wants(&frame) {
                text.clear();
                self.show(&frame, &mut text);
                out.write_all(text.as_bytes())?;
            }
        }
        Ok(Exit::Success)
    }

    /// Draws the chart of the one meter or address that is selected.
    fn draw(
        &self,
        path: &Path,
        capture: &Capture<'_>,
        selection: &Selection,
        out: &mut dyn Write,
    ) -> Result<Exit, Failure> {
        let &[address] = &selection.addresses[..] else {
            let why = "a chart is about one meter: choose it with --meter or --address";
            return Err(Failure::Usage(why.to_owned()));
        };
        if !is_chart(path) {
            return Err(Failure::Usage(format!(
                "{} exists and is no chart; it is left as it is",
                path.display()
            )));
        }
        let meter = self.selection.meter.first().copied();
        let meter = meter.or_else(|| capture.keys().meter_at(address));
        let mut chart = Chart::new(capture, address, meter);
        let mut damage = None;
        for frame in capture.frames() {
            match frame {
                Ok(frame) if selection.wants(&frame) => chart.push(frame),
                Ok(_) => {}
                Err(error) => damage = Some(error),
            }
        }
        if chart.shown() == 0 {
            let why = "the selection has no datagram to draw";
            return Err(Failure::Usage(why.to_owned()));
        }
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        let mut sequence = chart.sequence(&name);
        sequence
            .notes
            .extend(damage.map(|error| format!("The file ends early: {error}.")));
        fs::write(path, sequence.draw())
            .map_err(|error| Failure::Usage(format!("cannot write {}: {error}", path.display())))?;
        writeln!(out, "{}: {}", path.display(), sequence.title)?;
        for note in &sequence.notes {
            writeln!(out, "{note}")?;
        }
        Ok(Exit::Success)
    }

    fn show(&self, frame: &Frame, text: &mut String) {
        if self.json {
            text.push_str(&frame.to_json().to_string());
            text.push('\n');
        } else if self.summary {
            text.push_str(&frame.line());
            text.push('\n');
        } else {
            // Writing to a text does not fail.
            let _ = frame.write(text);
        }
    }

    fn read_keys(&self) -> Result<KeyRing, Failure> {
        let beside = || {
            let path = self.file.with_extension("keys.jsonl");
            path.is_file().then_some(path)
        };
        let Some(path) = self.keys.clone().or_else(beside) else {
            return Ok(KeyRing::default());
        };
        let text = String::from_utf8(read(&path)?)
            .map_err(|_| Failure::Usage(format!("{} is no text", path.display())))?;
        KeyRing::parse(&text)
            .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
    }
}

impl SelectionArgs {
    fn resolve(&self, capture: &Capture<'_>) -> Result<Selection, Failure> {
        let mut addresses = self.address.clone();
        for &meter in &self.meter {
            let address = capture.meter_address(meter);
            addresses.push(address.ok_or_else(|| {
                Failure::Usage(format!(
                    "neither the capture nor a key log knows meter {meter}"
                ))
            })?);
        }
        Ok(Selection {
            addresses,
            homes: self.meter.clone(),
            protocols: self.protocol.iter().map(|&name| name.into()).collect(),
            from_ns: self.from.map_or(0, Duration::as_nanos),
            until_ns: self.until.map(Duration::as_nanos),
            unsound_only: self.unsound,
        })
    }
}

/// Whether a chart may be written to `path`: nothing is there, or an older chart.
fn is_chart(path: &Path) -> bool {
    match fs::read(path) {
        Ok(octets) => octets.starts_with(b"<svg "),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path)
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))
}
