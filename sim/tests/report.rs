//! Opens a report in a real browser and measures what it shows.
//!
//! Needs Chromium (Debian package `chromium`). Without it the test says that it was skipped, unless
//! the environment has `CI=true`: there it fails.

#[path = "common/tool.rs"]
mod tool;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tool::tool;

/// Two cohorts, lost datagrams, a blackout and an expectation that fails: something in every figure.
const SCENARIO: &str = r#"Scenario(
    name: "browser",
    description: "A page for a browser",
    duration: "3h",
    cohorts: [
        (name: "homes", count: 40, medium: "wan", power_on: Uniform("0s", "60s")),
        (name: "shops", count: 20, medium: "wan", power_on: Uniform("0s", "60s")),
    ],
    media: {"wan": Wan(latency: Uniform("20ms", "80ms"), loss: "5%", up: "1Mb/s", down: "1Mb/s")},
    keys: Keys(session_lifetime: "1h", reauthenticate: Every(period: "30min", jitter: "5%")),
    headend: Headend(instances: 2),
    timeline: [
        (at: "1h", action: PowerOff(cohort: "shops")),
        (at: "1h10min", action: PowerOn(cohort: "shops")),
    ],
    expect: [
        Equals("meters.joined_ratio", "100%"),
        Equals("traffic.datagrams_lost", 0),
    ],
)"#;

/// Arms and factors, for figures of responses and differences.
const STUDY: &str = r#"Scenario(
    name: "study",
    description: "A sweep for a browser",
    duration: "1h",
    cohorts: [(name: "homes", count: 20, medium: "wan", power_on: Uniform("0s", "60s"))],
    media: {"wan": Wan(latency: Uniform("20ms", "80ms"), up: "1Mb/s", down: "1Mb/s")},
    expect: [Equals("meters.joined_ratio", "100%"), AtMost("auth.retransmissions", 5)],
    sweep: (
        factors: {"media.wan.loss": ["0%", "5%", "20%"], "pana.stateless": [false, true]},
        arms: [(name: "plain"), (name: "identity", set: {"pana.identity_request": true})],
        replications: 3,
        expect: [(at: {"media.wan.loss": "20%"}, expect: [
            AtLeast("auth.retransmissions", 5),
            AtMost("meters.time_to_join_s.p95", 60),
        ])],
    ),
)"#;

/// Appended to a copy of the page: measures it and leaves the result in an attribute.
const PROBE: &str = r#"<script>
(function () {
  var drawings = Array.from(document.querySelectorAll("svg.plot"));
  var outside = [];
  drawings.forEach(function (svg) {
    var box = svg.viewBox.baseVal;
    svg.querySelectorAll("text").forEach(function (text) {
      if (text.hasAttribute("transform")) { return; }
      var at = text.getBBox();
      if (at.x < -1 || at.y < -1 || at.x + at.width > box.width + 1 || at.y + at.height > box.height + 1) {
        outside.push(text.textContent);
      }
    });
  });
  var root = document.documentElement;
  root.setAttribute("data-probe", [
    "figures=" + drawings.length,
    "drawn=" + drawings.filter(function (svg) { return svg.getBoundingClientRect().height > 60; }).length,
    "outside=" + outside.join("|"),
    "overflow=" + Math.max(0, root.scrollWidth - window.innerWidth),
    "ground=" + getComputedStyle(document.body).backgroundColor,
    "switch=" + document.getElementById("theme").textContent
  ].join(";"));
})();
</script>"#;

/// Scheme as Chromium's settings number it.
#[derive(Clone, Copy)]
enum Scheme {
    Dark = 0,
    Light = 1,
}

fn meterstorm(arguments: &[&str]) -> Option<i32> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meterstorm"));
    let command = command.args(arguments).stdout(Stdio::null());
    command.status().expect("the program starts").code()
}

/// Runs the scenario and renders its report.
fn report(folder: &Path) -> PathBuf {
    let path = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    fs::write(path("browser.ron"), SCENARIO).expect("a file");
    let code = meterstorm(&[
        "run",
        &path("browser.ron"),
        "--out",
        &path("out"),
        "--quiet",
    ]);
    assert_eq!(code, Some(1), "an expectation fails");
    let code = meterstorm(&["report", &path("out"), "--out", &path("page.html")]);
    assert_eq!(code, Some(0));
    folder.join("page.html")
}

/// Opens a page and returns what the probe measured and what the browser complained about.
fn open(browser: &Path, page: &Path, scheme: Scheme, width: u32) -> (String, String) {
    let folder = page.parent().expect("a folder");
    let probed = folder.join("probed.html");
    let text = fs::read_to_string(page).expect("the page");
    fs::write(&probed, text.replace("</body>", &format!("{PROBE}</body>"))).expect("a file");
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
        .args(["--enable-logging=stderr", "--hide-scrollbars"])
        .arg(format!(
            "--user-data-dir={}",
            folder.join("profile").display()
        ))
        .arg(format!(
            "--blink-settings=preferredColorScheme={}",
            scheme as u8
        ))
        .arg(format!("--window-size={width},900"))
        .arg(format!("file://{}", probed.display()))
        .output()
        .expect("the browser starts");
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let probe = dom.split("data-probe=\"").nth(1).expect("the probe ran");
    let complaints = log.lines().filter(|line| line.contains("CONSOLE"));
    (
        probe.split('"').next().unwrap_or("").to_owned(),
        complaints.collect::<Vec<_>>().join("\n"),
    )
}

fn value<'a>(probe: &'a str, name: &str) -> &'a str {
    let mut values = probe.split(';').filter_map(|pair| pair.split_once('='));
    let found = values.find(|(known, _)| *known == name);
    found
        .map(|(_, value)| value)
        .expect("the probe measures it")
}

/// Sweeps the study and renders its report.
fn study(folder: &Path) -> PathBuf {
    let path = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    fs::write(path("study.ron"), STUDY).expect("a file");
    let out = path("sweep");
    meterstorm(&["sweep", &path("study.ron"), "--out", &out, "--quiet"]);
    let page = path("study.html");
    assert_eq!(meterstorm(&["report", &out, "--out", &page]), Some(0));
    folder.join("study.html")
}

/// Opens a page in light, dark and narrow and checks that all its `figures` are there.
fn look_at(browser: &Path, page: &Path, figures: &str) {
    let mut grounds = Vec::new();
    for (scheme, width) in [
        (Scheme::Light, 1_280),
        (Scheme::Dark, 1_280),
        (Scheme::Light, 500),
    ] {
        let (probe, complaints) = open(browser, page, scheme, width);
        assert_eq!(complaints, "", "scripts and styles run without complaint");
        assert_eq!(value(&probe, "figures"), figures, "{probe}");
        assert_eq!(value(&probe, "drawn"), figures, "{probe}");
        assert_eq!(
            value(&probe, "outside"),
            "",
            "labels lie within their drawing"
        );
        assert_eq!(
            value(&probe, "overflow"),
            "0",
            "the page never scrolls sideways"
        );
        let other = match scheme {
            Scheme::Dark => "Light",
            Scheme::Light => "Dark",
        };
        assert_eq!(value(&probe, "switch"), other, "{probe}");
        grounds.push(value(&probe, "ground").to_owned());
    }
    assert_ne!(grounds[0], grounds[1], "dark is another page");
    assert_eq!(grounds[0], grounds[2]);
}

#[test]
fn a_browser_shows_every_figure_in_light_and_dark() {
    let Some(browser) = tool("chromium", "the report was not looked at") else {
        return;
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report_browser");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    look_at(&browser, &report(&folder), "17");
    // Retransmissions and time to join, each as it is and as a difference.
    look_at(&browser, &study(&folder), "4");
}
