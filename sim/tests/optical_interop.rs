//! Optical ports of live meters against other people's code: the C12.18 library and the console of
//! termineter 1.0.6, an independent implementation in Python.
//!
//! Needs termineter in a virtual environment whose folder `METERSTORM_TERMINETER` names. Without it
//! the tests say that they were skipped, unless the environment has `CI=true`: there they fail.

#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use firmware::c1219::switch::{self, SwitchAction, SwitchCommand};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

const TOWN: &str = r#"Scenario(
    name: "town",
    seed: 5,
    duration: "1h",
    cohorts: [(
        name: "homes", count: 4, medium: "wan", metering: (),
        power_on: Fixed("0s"), boot: Fixed("100ms"),
    )],
    media: { "wan": Wan() },
    traffic: (interval: "1min", report: (every: "1min", spread: "1s")),
    live: (optical: (first: 1, meters: [3])),
)"#;

/// The virtual environment with termineter, if there is one.
fn termineter() -> Option<PathBuf> {
    let folder = std::env::var_os("METERSTORM_TERMINETER").map(PathBuf::from);
    let found = folder.filter(|folder| folder.join("bin/termineter").is_file());
    if found.is_none() {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!ci, "this test needs termineter at METERSTORM_TERMINETER");
        eprintln!("SKIPPED: no termineter here, optical ports were not tried against it");
    }
    found
}

fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(env!("CARGO_CRATE_NAME"))
        .join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let began = Instant::now();
    while !there() {
        assert!(began.elapsed() < Duration::from_secs(30), "no {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A live run in a process of its own.
struct Town {
    child: Child,
    results: PathBuf,
}

impl Town {
    fn start(folder: &Path, port: u16) -> Self {
        let scenario = folder.join("town.ron");
        fs::write(&scenario, TOWN).expect("a file");
        let results = folder.join("results");
        let child = Command::new(env!("CARGO_BIN_EXE_meterstorm"))
            .arg("live")
            .arg(&scenario)
            .args(["--pana-port", &port.to_string()])
            .args(["--c1222-port", &(port + 1).to_string()])
            .args(["--log", "json", "--out"])
            .arg(&results)
            .stdout(Stdio::null())
            .spawn()
            .expect("the program starts");
        Self { child, results }
    }

    fn port(&self, meter: u32) -> PathBuf {
        let name = format!("optical/meter-{meter:06}");
        let port = self.results.join(name);
        wait_for("optical port", || port.exists());
        // The meters have no more to do than to boot.
        thread::sleep(Duration::from_millis(500));
        port
    }

    /// Ends the run; returns what its summary says about optical ports.
    fn end(mut self) -> Value {
        let id = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        kill(id, Signal::SIGTERM).expect("it is still there");
        assert!(self.child.wait().expect("it ends").success());
        let left = self.results.join("optical");
        assert!(!left.exists(), "the ports are gone");
        let text = fs::read_to_string(self.results.join("summary.json")).expect("a summary");
        let summary: Value = serde_json::from_str(&text).expect("JSON");
        summary["live"]["optical"].clone()
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        // Nothing is left of a test that has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a request came to.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Done(Vec<u8>),
    /// The meter has answered with this code.
    Code(u8),
}

const ERR_ISC: Answer = Answer::Code(3);
const ERR_ONP: Answer = Answer::Code(4);
const ERR_IAR: Answer = Answer::Code(5);
const ERR_ISSS: Answer = Answer::Code(10);

fn done(octets: &[u8]) -> Answer {
    Answer::Done(octets.to_vec())
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// A program with termineter's library at a port.
struct Reader {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Reader {
    fn at(termineter: &Path, port: &Path) -> Self {
        let bridge = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common/termineter.py");
        let mut child = Command::new(termineter.join("bin/python"))
            .arg(bridge)
            .arg(port)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let input = child.stdin.take();
        let mut reader = Self {
            child,
            input,
            output,
        };
        assert_eq!(reader.ask("open"), done(&[]));
        reader
    }

    fn ask(&mut self, command: &str) -> Answer {
        let input = self.input.as_mut().expect("it listens");
        writeln!(input, "{command}").expect("it listens");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it answers");
        let line = line.trim_end();
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        match kind {
            "ok" => {
                let octets = (0..rest.len()).step_by(2);
                let octet = |at: usize| u8::from_str_radix(&rest[at..at + 2], 16);
                Answer::Done(octets.map(|at| octet(at).expect("hexadecimal")).collect())
            }
            "code" => Answer::Code(rest.parse().expect("a number")),
            _ => panic!("{command}: {line}"),
        }
    }

    fn read(&mut self, table: u16) -> Vec<u8> {
        match self.ask(&format!("read {table}")) {
            Answer::Done(octets) => octets,
            Answer::Code(code) => panic!("table {table} is answered by {code}"),
        }
    }

    fn end(mut self) {
        drop(self.input.take());
        assert!(self.child.wait().expect("it ends").success());
    }
}

/// The clocks of UTC around now, as ST52 shows them.
fn clocks_of_now() -> Vec<Vec<u8>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("a time after 1970").as_secs();
    let clock = |at: u64| {
        let output = Command::new("date")
            .args(["-u", "+%y %m %d %H %M %S", "-d", &format!("@{at}")])
            .output()
            .expect("a clock");
        let text = String::from_utf8(output.stdout).expect("numbers");
        text.split_whitespace()
            .map(|number| number.parse().expect("a number"))
            .collect()
    };
    (now - 3..=now + 1).map(clock).collect()
}

#[test]
fn a_technician_with_another_make_of_program_reads_and_writes() {
    let Some(termineter) = termineter() else {
        return;
    };
    let town = Town::start(&folder("technician"), 27_360);
    let mut reader = Reader::at(&termineter, &town.port(3));
    assert_eq!(
        reader.ask("read 1"),
        ERR_ISSS,
        "nobody has identified himself"
    );
    assert_eq!(reader.ask("identify"), done(&[0, 1, 0, 0]));
    // Its library then stays at its own speed, which would be lost on a real line (C12.18 lets
    // what was agreed upon hold from the acknowledgement on); a terminal has none.
    assert_eq!(reader.ask("negotiate 256 8 57600"), done(&[1, 0, 8, 0x0A]));
    assert_eq!(reader.ask("read 1"), ERR_ISSS, "nobody is logged on");
    assert_eq!(reader.ask("logon FIELD 17"), done(&[]));
    assert_eq!(reader.ask("identify"), ERR_ISSS);

    let general = reader.read(0);
    assert_eq!((general.len(), &general[3..7]), (46, b"SH2E".as_slice()));
    let identity = reader.read(1);
    assert_eq!(&identity[..12], b"TOSHSH2E1   ");
    assert_eq!(reader.ask("read 1 4 8"), done(&identity[4..12]));
    assert_eq!(reader.read(3)[0], 1, "the mode is metering");
    assert_eq!(reader.read(23).len(), 463);
    let clock = reader.read(52);
    assert!(
        clocks_of_now().iter().any(|now| clock.starts_with(now)),
        "{clock:?}"
    );

    // Everybody may do so much and no more.
    let before = reader.read(5);
    let name = *b"LABORATORY 3        ";
    let write = format!("write 5 {}", hex(&name));
    assert_eq!(reader.ask(&write), ERR_ISC);
    assert_eq!(reader.read(5), before, "what is refused changes nothing");
    assert_eq!(reader.ask("read 64 0 16"), ERR_ISC);
    assert_eq!(reader.ask("security WRONG"), ERR_ISC);
    assert_eq!(reader.ask(&write), ERR_ISC);

    // With the password he may write.
    assert_eq!(reader.ask("security MASTER"), done(&[]));
    assert_eq!(reader.ask(&write), done(&[]));
    assert_eq!(reader.read(5), name);
    assert_eq!(reader.ask("write 5 3758 11"), done(&[]), "by offset");
    assert_eq!(reader.read(5), *b"LABORATORY 7X       ");
    assert_eq!(reader.ask("write 1 0000"), ERR_IAR, "ST1 is read-only");
    assert_eq!(reader.ask("read 42"), ERR_ISC, "passwords are for nobody");
    assert_eq!(reader.ask("read 999"), ERR_IAR, "there is no such table");
    // 32,000 octets do not fit eight packets of 256; a part of them does.
    assert_eq!(reader.ask("read 64"), ERR_ONP);
    let Answer::Done(part) = reader.ask("read 64 16 1000") else {
        panic!("a part of the load profile is refused");
    };
    assert_eq!(part.len(), 1_000);

    // He opens the service switch, and the meter says so.
    let open = SwitchCommand::of(SwitchAction::Open, 0).octets();
    let run = format!("procedure 0 yes {}", hex(&open));
    let Answer::Done(outcome) = reader.ask(&run) else {
        panic!("the procedure is refused");
    };
    assert!(outcome[0] <= 1, "done or accepted: {outcome:?}");
    thread::sleep(Duration::from_millis(300));
    let switch = reader.read(switch::TABLE.0);
    assert_eq!(switch[..2], [0, 2], "open, by the optical port");

    assert_eq!(reader.ask("logoff"), done(&[]));
    assert_eq!(reader.ask("read 1"), ERR_ISSS);
    assert_eq!(reader.ask("terminate"), done(&[]));
    assert_eq!(reader.ask("logon FIELD 17"), ERR_ISSS);
    reader.end();

    let figures = town.end();
    assert_eq!(figures["ports"], 2);
    assert_eq!(figures["sessions"], json!({ "terminated": 1 }), "{figures}");
    let counts = ["logons", "passwords", "wrong_passwords", "naks"];
    assert_eq!(
        counts.map(|count| figures[count].as_u64()),
        [1, 1, 1, 0].map(Some)
    );
    // Three times out of sequence, four without rights, four with them; what comes before
    // Identification or after Terminate is nobody's session.
    assert_eq!(figures["refused"], 11, "{figures}");
}

/// The commands of the README that lead to a reading by termineter, but for its installation.
fn commands_of_the_readme() -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(readme).expect("the README");
    let mut blocks = readme.split("```sh\n").skip(1);
    let block = blocks.find(|block| block.contains("set SERIAL_CONNECTION"));
    let block = block.expect("a block of commands");
    let commands = block.split("```").next().expect("its end");
    let (installation, rest) = commands.split_once('\n').expect("several commands");
    assert!(installation.contains("pip install"), "{installation}");
    rest.to_owned()
}

/// The console of termineter reads the meter and names it, as the README says.
#[test]
fn the_readme_leads_to_a_reading() {
    let Some(termineter) = termineter() else {
        return;
    };
    let folder = folder("readme");
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let link = std::os::unix::fs::symlink;
    link(scenarios, folder.join("scenarios")).expect("a link");
    link(termineter, folder.join("termineter")).expect("a link");
    let program = Path::new(env!("CARGO_BIN_EXE_meterstorm"));
    let program = program.parent().expect("its folder").display();
    let script = format!("PATH=\"{program}:$PATH\"\n{}", commands_of_the_readme());
    let output = Command::new("sh")
        .args(["-ec", &script])
        .current_dir(&folder)
        // It keeps a log at home.
        .env("HOME", &folder)
        .output()
        .expect("a shell");
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{out}");
    for expected in [
        "Manufacturer...........................TOSH",
        "Successfully updated the Meter's ID to: LABORATORY",
        "4c 41 42 4f 52 41 54 4f  52 59 20",
    ] {
        assert!(out.contains(expected), "{expected}: {out}");
    }
    let summary = folder.join("results/live/summary.json");
    let summary = fs::read_to_string(summary).expect("a summary");
    let summary: Value = serde_json::from_str(&summary).expect("JSON");
    let figures = &summary["live"]["optical"];
    // Its `connect`, and each `run`.
    assert_eq!(figures["sessions"], json!({ "terminated": 4 }), "{figures}");
    assert_eq!(figures["wrong_passwords"], 0);
}

/// Who is silent for six seconds, or takes the probe off, has to begin anew.
#[test]
fn sessions_end_with_silence_and_with_the_probe() {
    let Some(termineter) = termineter() else {
        return;
    };
    let town = Town::start(&folder("silence"), 27_370);
    let port = town.port(0);
    let begin = |reader: &mut Reader| {
        assert_eq!(reader.ask("identify"), done(&[0, 1, 0, 0]));
        assert_eq!(reader.ask("logon FIELD 17"), done(&[]));
        assert_eq!(reader.ask("security MASTER"), done(&[]));
    };
    let mut reader = Reader::at(&termineter, &port);
    begin(&mut reader);
    // Wait extends the six seconds once.
    assert_eq!(reader.ask("wait 9"), done(&[]));
    thread::sleep(Duration::from_millis(7_500));
    assert_eq!(reader.read(1).len(), 32);
    thread::sleep(Duration::from_millis(6_500));
    assert_eq!(
        reader.ask("read 1"),
        ERR_ISSS,
        "silence has ended the session"
    );
    begin(&mut reader);
    assert_eq!(reader.ask("close"), done(&[]));
    assert_eq!(reader.ask("open"), done(&[]));
    assert_eq!(
        reader.ask("read 1"),
        ERR_ISSS,
        "the session went with the probe"
    );
    begin(&mut reader);
    assert_eq!(reader.ask("terminate"), done(&[]));
    reader.end();
    let figures = town.end();
    let endings = json!({ "lost": 1, "silence": 1, "terminated": 1 });
    assert_eq!(figures["sessions"], endings, "{figures}");
    assert_eq!(figures["departures"], 2);
}
