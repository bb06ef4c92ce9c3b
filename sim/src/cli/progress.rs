//! How far a run has come: a bar on a terminal, lines elsewhere.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration as WallDuration, Instant as WallInstant};

use indicatif::{ProgressBar, ProgressStyle};
use models::time::Time;
use serde_json::{Value, json};

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// JSON lines on standard output.
    Json,
    /// Not at all.
    Silent,
    /// A bar if standard error is a terminal, lines on standard error otherwise.
    Text,
}

/// Time by the wall clock between two lines.
const LINE_PERIOD: WallDuration = WallDuration::from_secs(5);
/// Time by the wall clock between two redraws of the bar.
const BAR_PERIOD: WallDuration = WallDuration::from_millis(100);
/// Steps of the bar.
const BAR_STEPS: u64 = 10_000;

/// Shows how far a run has come.
#[derive(Debug)]
pub struct Progress {
    display: Display,
    until: Time,
    started: WallInstant,
    shown: Option<WallInstant>,
}

#[derive(Debug)]
enum Display {
    Bar(ProgressBar),
    Json,
    Lines,
    Silent,
}

impl Progress {
    /// Starts to show a run that ends at `until`.
    pub fn start(mode: Mode, until: Time) -> Self {
        let display = match mode {
            Mode::Json => Display::Json,
            Mode::Silent => Display::Silent,
            Mode::Text if io::stderr().is_terminal() => Display::Bar(bar()),
            Mode::Text => Display::Lines,
        };
        Self {
            display,
            until,
            started: WallInstant::now(),
            shown: None,
        }
    }

    /// Shows that the run has reached `now` with `events` events, unless it did so just before.
    pub fn update(&mut self, now: Time, events: u64) {
        let period = match self.display {
            Display::Silent => return,
            Display::Bar(_) => BAR_PERIOD,
            Display::Json | Display::Lines => LINE_PERIOD,
        };
        let last = self.shown.unwrap_or(self.started);
        if last.elapsed() >= period {
            self.shown = Some(WallInstant::now());
            self.show(now, events);
        }
    }

    /// Shows the end of the run and takes the bar away.
    pub fn finish(self, now: Time, events: u64) {
        match &self.display {
            Display::Bar(bar) => bar.finish_and_clear(),
            Display::Silent => {}
            Display::Json | Display::Lines => self.show(now, events),
        }
    }

    fn show(&self, now: Time, events: u64) {
        let sample = Sample {
            now,
            until: self.until,
            events,
            elapsed: self.started.elapsed(),
        };
        match &self.display {
            Display::Bar(bar) => {
                bar.set_position((sample.fraction() * BAR_STEPS as f64) as u64);
                bar.set_message(sample.line());
            }
            // A reader that has gone away is no reason to end the run.
            Display::Json => drop(writeln!(io::stdout(), "{}", sample.json())),
            Display::Lines => drop(writeln!(io::stderr(), "{}", sample.line())),
            Display::Silent => {}
        }
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {msg}")
        .expect("the template is a constant that parses");
    ProgressBar::new(BAR_STEPS).with_style(style)
}

/// How far a run has come at one moment.
struct Sample {
    now: Time,
    until: Time,
    events: u64,
    elapsed: WallDuration,
}

impl Sample {
    fn fraction(&self) -> f64 {
        let until = self.until.as_nanos().max(1);
        (self.now.as_nanos() as f64 / until as f64).min(1.0)
    }

    fn events_per_s(&self) -> f64 {
        self.events as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Seconds by the wall clock that remain at the pace so far; nothing at the very start.
    fn remaining_s(&self) -> Option<f64> {
        let fraction = self.fraction();
        (fraction > 0.0).then(|| self.elapsed.as_secs_f64() * (1.0 - fraction) / fraction)
    }

    fn line(&self) -> String {
        let eta = match self.remaining_s() {
            Some(seconds) => format!("{seconds:.0}s"),
            None => "-".to_owned(),
        };
        format!(
            "{:3.0}% {} {:.2}M events/s, ETA {eta}",
            self.fraction() * 100.0,
            clock(self.now),
            self.events_per_s() / 1e6,
        )
    }

    fn json(&self) -> Value {
        json!({
            "type": "progress",
            "virtual_time_s": self.now.as_nanos() as f64 / 1e9,
            "until_s": self.until.as_nanos() as f64 / 1e9,
            "events": self.events,
            "events_per_s": self.events_per_s().round(),
            "elapsed_s": self.elapsed.as_secs_f64(),
            "eta_s": self.remaining_s(),
        })
    }
}

/// Virtual time to the second.
fn clock(time: Time) -> String {
    Time::from_secs(time.as_nanos() / 1_000_000_000)
        .to_string()
        .trim_end_matches(".000000000")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(now_s: u64) -> Sample {
        Sample {
            now: Time::from_secs(now_s),
            until: Time::from_secs(86_400),
            events: 3_000_000,
            elapsed: WallDuration::from_secs(2),
        }
    }

    #[test]
    fn a_line_tells_time_pace_and_what_remains() {
        assert_eq!(
            sample(21_600).line(),
            " 25% 06:00:00 1.50M events/s, ETA 6s"
        );
        assert_eq!(sample(0).line(), "  0% 00:00:00 1.50M events/s, ETA -");
        assert_eq!(
            sample(86_400).line(),
            "100% 1d 00:00:00 1.50M events/s, ETA 0s"
        );
    }

    #[test]
    fn json_has_numbers_with_units_in_their_names() {
        let json = sample(21_600).json();
        assert_eq!(json["virtual_time_s"], 21_600.0);
        assert_eq!(json["events_per_s"], 1_500_000.0);
        assert_eq!(json["eta_s"], 6.0);
        assert_eq!(sample(0).json()["eta_s"], Value::Null);
    }
}
