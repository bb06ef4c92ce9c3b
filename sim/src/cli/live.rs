//! `meterstorm live`: the entities of a scenario on real sockets.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration as WallDuration, Instant as WallInstant};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::args::{OutputArgs, ScenarioArgs};
use super::check::report_mistakes;
use super::progress::Mode;
use super::run::{exit, interrupt, print, warn};
use super::{Exit, Failure};
use crate::live::{LiveOptions, LiveProgress, live};
use crate::scenario::load;

/// Time by the wall clock between two lines of progress.
const LINE_PERIOD: WallDuration = WallDuration::from_secs(5);

/// Which side a process plays.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Role {
    /// The meters, for a head-end elsewhere
    Meters,
    /// The head-end, for meters elsewhere
    Headend,
    /// Both, which converse through the sockets
    Both,
}

/// How meters open C12.22 conversations.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Transport {
    /// A datagram per message
    Udp,
    /// A connection per meter
    Tcp,
}

/// Runs the same meters and head-end by the wall clock on real sockets
///
/// Every option but the output's overrides a field of `live` in the scenario, which `meterstorm
/// explain live` explains.
#[derive(Args, Clone, Debug)]
pub(super) struct LiveArgs {
    #[command(flatten)]
    scenario: ScenarioArgs,
    /// Which side this process plays [default: both]
    #[arg(long, value_enum)]
    role: Option<Role>,
    /// Where meters find another PAA, and its C12.22 host; plays the meters
    #[arg(long, value_name = "ADDR[:PORT]")]
    paa: Option<String>,
    /// UDP port of PANA [default: 716, which needs a privilege; 7160 does not]
    #[arg(long, value_name = "N")]
    pana_port: Option<u16>,
    /// UDP and TCP port of C12.22 [default: 1153]
    #[arg(long, value_name = "N")]
    c1222_port: Option<u16>,
    /// Address of the head-end [default: 127.0.0.1]
    #[arg(long, value_name = "ADDR")]
    bind: Option<String>,
    /// Address of the first meter [default: 127.16.0.1]
    #[arg(long, value_name = "ADDR")]
    meters: Option<String>,
    /// Serve other machines, too: needed for addresses beyond 127.0.0.0/8
    #[arg(long)]
    expose: bool,
    /// How meters open C12.22 conversations [default: udp]
    #[arg(long, value_enum)]
    transport: Option<Transport>,
    /// Give the first N meters an optical port on a pseudo-terminal
    #[arg(long, value_name = "N")]
    optical: Option<u32>,
    /// Where optical ports get their names [default: optical in the results folder]
    #[arg(long, value_name = "DIR")]
    optical_dir: Option<PathBuf>,
    /// Virtual seconds per second, as in `10x`
    #[arg(long, value_name = "FACTOR", value_parser = parse_pace)]
    pace: Option<f64>,
    /// Virtual time until the end, as in `10min`; Ctrl-C ends earlier
    #[arg(long, value_name = "TIME")]
    duration: Option<String>,
    /// Results folder [default: results/NAME, or results/NAME-2 and so on if it exists]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace the results in the folder, and the file of --pcap
    #[arg(long)]
    force: bool,
    /// Capture what crosses the sockets, for Wireshark
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

fn parse_pace(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('x').unwrap_or(text).parse();
    number.map_err(|_| "a pace is a number such as 10 or 10x".to_owned())
}

impl LiveArgs {
    /// The options as overrides of the scenario, before those of `--set`.
    fn overrides(&self) -> Vec<String> {
        let role = match self.role {
            Some(Role::Meters) => Some("Meters"),
            Some(Role::Headend) => Some("Headend"),
            Some(Role::Both) => Some("Both"),
            None => self.paa.as_ref().map(|_| "Meters"),
        };
        let transport = self.transport.map(|transport| match transport {
            Transport::Udp => "Udp",
            Transport::Tcp => "Tcp",
        });
        let fields = [
            ("live.role", role.map(str::to_owned)),
            ("live.paa", self.paa.clone()),
            (
                "live.pana_port",
                self.pana_port.map(|port| port.to_string()),
            ),
            (
                "live.c1222_port",
                self.c1222_port.map(|port| port.to_string()),
            ),
            ("live.bind", self.bind.clone()),
            ("live.meters", self.meters.clone()),
            ("live.exposed", self.expose.then(|| "true".to_owned())),
            ("live.transport", transport.map(str::to_owned)),
            (
                "live.optical.first",
                self.optical.map(|first| first.to_string()),
            ),
            ("live.pace", self.pace.map(|pace| pace.to_string())),
            ("duration", self.duration.clone()),
        ];
        let given = fields
            .into_iter()
            .filter_map(|(field, value)| value.map(|value| format!("{field}={value}")));
        given.chain(self.scenario.overrides()).collect()
    }

    pub(super) fn run(&self, out: &mut dyn Write) -> Result<Exit, Failure> {
        let loaded = match load(&self.scenario.file, &self.overrides()) {
            Ok(loaded) => loaded,
            Err(report) => {
                report_mistakes(&report, self.output.log, out)?;
                return Ok(Exit::Usage);
            }
        };
        warn(&loaded, self.output, out)?;
        let options = LiveOptions {
            folder: self.out.clone(),
            force: self.force,
            pcap: self.pcap.clone(),
            optical_folder: self.optical_dir.clone(),
            announce: match self.output.progress() {
                Mode::Silent => None,
                Mode::Json => Some(announce_json),
                Mode::Text => Some(announce),
            },
            interrupt: interrupt(),
        };
        let mut display = Display::new(self.output.progress());
        let report = live(&loaded, &options, |now| display.update(now));
        display.clear();
        let report = report?;
        print(&report, self.output, out)?;
        Ok(exit(&report))
    }
}

fn announce(folder: &Path, ports: usize) {
    let folder = folder.display();
    drop(writeln!(
        io::stderr(),
        "{ports} optical ports in {folder}, named meter-NUMBER"
    ));
}

fn announce_json(folder: &Path, ports: usize) {
    let ports = json!({ "type": "optical_ports", "folder": folder, "ports": ports });
    drop(writeln!(io::stdout(), "{ports}"));
}

/// Shows how a live run is doing.
struct Display {
    mode: Mode,
    /// Whether one line on a terminal is written again and again.
    in_place: bool,
    shown: Option<WallInstant>,
}

impl Display {
    fn new(mode: Mode) -> Self {
        Self {
            mode,
            in_place: mode == Mode::Text && io::stderr().is_terminal(),
            shown: None,
        }
    }

    fn update(&mut self, now: &LiveProgress) {
        let due = self
            .shown
            .is_none_or(|shown| shown.elapsed() >= LINE_PERIOD);
        if !(due || self.in_place) {
            return;
        }
        self.shown = Some(WallInstant::now());
        // A reader that has gone away is no reason to end.
        match self.mode {
            Mode::Silent => {}
            Mode::Json => drop(writeln!(io::stdout(), "{}", json(now))),
            Mode::Text if self.in_place => drop(write!(io::stderr(), "\r\x1b[K{}", line(now))),
            Mode::Text => drop(writeln!(io::stderr(), "{}", line(now))),
        }
    }

    fn clear(&mut self) {
        if self.in_place {
            drop(write!(io::stderr(), "\r\x1b[K"));
        }
    }
}

fn line(now: &LiveProgress) -> String {
    let second = 1_000_000_000;
    format!(
        "{} s of {} s, {} received, {} sent, {} refused, lag p99 {:.1} ms, max {:.1} ms{}",
        now.time.as_nanos() / second,
        now.end.as_nanos() / second,
        now.received,
        now.sent,
        now.refused,
        now.lag_p99_s * 1e3,
        now.lag_max_s * 1e3,
        if now.lag_p99_s > 0.1 { " OVERLOAD" } else { "" },
    )
}

fn json(now: &LiveProgress) -> serde_json::Value {
    json!({
        "type": "progress",
        "virtual_time_s": now.time.as_nanos() as f64 / 1e9,
        "until_s": now.end.as_nanos() as f64 / 1e9,
        "events": now.events,
        "received": now.received,
        "sent": now.sent,
        "refused": now.refused,
        "lag_p99_s": now.lag_p99_s,
        "lag_max_s": now.lag_max_s,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paces_may_have_their_sign() {
        assert_eq!(parse_pace("10x"), Ok(10.0));
        assert_eq!(parse_pace("0.5"), Ok(0.5));
        assert!(parse_pace("fast").is_err());
    }
}
