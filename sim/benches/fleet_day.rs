//! What a simulated day of a meter costs.
//!
//! `cargo bench -p sim --bench fleet_day` runs `scenarios/bench/fleet_day.ron` with 1,000 and
//! 10,000 meters, `-- 100000` with that many as well, each on one and on two threads.
//!
//! Every run is a process of its own, so that its processor time (all of it: building the fleet,
//! recording and summing up included) and its peak memory are those of that run alone. The growth
//! exponent is the slope of processor time over the number of meters on logarithmic scales.
//!
//! The share of time inside the firmware is sampled by `perf record` in one more run: a sample
//! counts if a function of the `firmware` crate is on its call stack, so that the hashes, ciphers
//! and copies that the firmware asks for count as well. The code is not changed for it, and
//! nothing is estimated; without `perf` the share is left out. At 1,000 samples its standard error
//! is 1.6 percentage points.

#[path = "fleet_day/floor.rs"]
mod floor;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sim::run::{Options, run};
use sim::scenario;

/// Set in the environment of a process that is to make one run: meters and threads.
const ONE_RUN: &str = "METERSTORM_BENCH_RUN";
/// Meters of the run in which `perf` looks for the firmware.
const SAMPLED_METERS: u32 = 1_000;
/// Meters of the floor.
const FLOOR_METERS: u32 = 10_000;
/// Units of processor time in `/proc/self/stat`: `USER_HZ`, which Linux fixes at 100.
const TICKS_PER_S: f64 = 100.0;

/// What one run took.
struct Cost {
    meters: u32,
    threads: usize,
    cpu_s: f64,
    wall_s: f64,
    events: f64,
    datagrams: f64,
    authentications: f64,
    peak_kb: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    if let Ok(what) = std::env::var(ONE_RUN) {
        let (meters, threads) = what.split_once(' ').ok_or("meters and threads")?;
        return one_run(meters, threads.parse()?);
    }
    let mut sizes = vec![1_000, 10_000];
    sizes.extend(std::env::args().filter_map(|argument| argument.parse::<u32>().ok()));

    println!("  meters threads  CPU ms/day  wall s  events/s  datagrams/s  auth/s  peak MB");
    let mut costs = Vec::new();
    for meters in sizes {
        for threads in [1, 2] {
            let cost = measure(meters, threads)?;
            print(&cost);
            costs.push(cost);
        }
    }
    print_growth(&costs);
    print_floor(&costs);
    match firmware_share() {
        Some((share, samples)) => println!("inside firmware {share:.1} % of {samples} samples"),
        None => println!("inside firmware not measured: `perf` does not work here"),
    }
    Ok(())
}

/// Makes one run in this process and prints what it took.
fn one_run(meters: &str, threads: usize) -> Result<(), Box<dyn Error>> {
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/bench/fleet_day.ron");
    let overrides = [format!("cohorts[0].count={meters}")];
    let loaded = scenario::load(&scenario, &overrides).map_err(|report| report.to_string())?;
    let folder = folder();
    let options = Options {
        threads,
        folder: Some(folder.clone()),
        force: true,
        ..Options::default()
    };
    let report = run(&loaded, &options, |_| {})?;
    std::fs::remove_dir_all(folder)?;
    println!(
        "{} {} {} {} {} {}",
        processor_s()?,
        report.wall.as_secs_f64(),
        report.events,
        report.counts.datagrams,
        report.counts.authentications,
        peak_kb()?,
    );
    Ok(())
}

/// Where this process writes its results.
fn folder() -> PathBuf {
    std::env::temp_dir().join(format!("meterstorm-bench-{}", std::process::id()))
}

/// Processor time of this process, all threads, in user and kernel mode.
fn processor_s() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The second field may hold blanks and ends with the last parenthesis.
    let (_, fields) = stat.rsplit_once(')').ok_or("no command name")?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: f64 = ticks.filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS_PER_S)
}

/// The most memory that this process has had resident.
fn peak_kb() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// A run in a process of its own.
fn one_run_command(meters: u32, threads: usize, program: &mut Command) -> &mut Command {
    program.env(ONE_RUN, format!("{meters} {threads}"))
}

fn measure(meters: u32, threads: usize) -> Result<Cost, Box<dyn Error>> {
    let mut program = Command::new(std::env::current_exe()?);
    let output = one_run_command(meters, threads, &mut program)
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let numbers: Vec<f64> = text
        .split_whitespace()
        .map_while(|number| number.parse().ok())
        .collect();
    let [cpu_s, wall_s, events, datagrams, authentications, peak_kb] = numbers[..] else {
        return Err(format!("a run of {meters} meters failed").into());
    };
    Ok(Cost {
        meters,
        threads,
        cpu_s,
        wall_s,
        events,
        datagrams,
        authentications,
        peak_kb,
    })
}

fn print(cost: &Cost) {
    println!(
        "{:8} {:7} {:11.3} {:7.2} {:9.0} {:12.0} {:7.0} {:8.0}",
        cost.meters,
        cost.threads,
        cost.cpu_s * 1e3 / f64::from(cost.meters),
        cost.wall_s,
        cost.events / cost.wall_s,
        cost.datagrams / cost.wall_s,
        cost.authentications / cost.wall_s,
        cost.peak_kb / 1024.0,
    );
}

/// The growth of processor time on one thread, and what the second thread is worth.
fn print_growth(costs: &[Cost]) {
    let single: Vec<&Cost> = costs.iter().filter(|cost| cost.threads == 1).collect();
    if let [first, .., last] = single[..] {
        let meters = f64::from(last.meters) / f64::from(first.meters);
        let exponent = (last.cpu_s / first.cpu_s).ln() / meters.ln();
        println!("growth exponent {exponent:.3}");
    }
    for pair in costs.chunks_exact(2) {
        let speedup = pair[0].wall_s / pair[1].wall_s;
        println!(
            "speed-up of {} meters on 2 threads {speedup:.2}",
            pair[0].meters
        );
    }
}

/// How many times the least that the day can cost it costs.
fn print_floor(costs: &[Cost]) {
    let Some(cost) = costs
        .iter()
        .find(|cost| cost.meters == FLOOR_METERS && cost.threads == 1)
    else {
        return;
    };
    let best = |ciphers| {
        let runs = (0..3).map(|_| floor::ms_per_day(FLOOR_METERS, ciphers));
        runs.fold(f64::INFINITY, f64::min)
    };
    let (bare, floor) = (best(false), best(true));
    let ms = cost.cpu_s * 1e3 / f64::from(cost.meters);
    println!(
        "floor {floor:.3} ms per meter and day, {bare:.3} ms without ciphers; the day is {:.2} floors",
        ms / floor
    );
}

/// Percentage of samples with the firmware on the stack, and the number of samples.
fn firmware_share() -> Option<(f64, usize)> {
    let data = folder().with_extension("perf");
    let mut record = Command::new("perf");
    record
        .args(["record", "-F", "1499", "--call-graph", "dwarf,8192", "-o"])
        .args([data.as_os_str(), std::env::current_exe().ok()?.as_os_str()]);
    let recorded = one_run_command(SAMPLED_METERS, 1, &mut record)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let script = Command::new("perf")
        .args(["script", "--no-inline", "-F", "ip,sym", "-i"])
        .arg(&data)
        .stderr(Stdio::null())
        .output();
    // Nothing is lost if it cannot be removed.
    std::fs::remove_file(&data).ok();
    recorded.ok().filter(|status| status.success())?;
    let text = String::from_utf8(script.ok()?.stdout).ok()?;
    let stacks = text.split("\n\n").filter(|stack| !stack.trim().is_empty());
    let (inside, outside): (Vec<&str>, Vec<&str>) =
        stacks.partition(|stack| stack.contains("firmware::"));
    let samples = inside.len() + outside.len();
    (samples > 0).then(|| (inside.len() as f64 * 100.0 / samples as f64, samples))
}
