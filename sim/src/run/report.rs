//! The end of a run in words.

use std::fmt;

use reports::summary::kpi::{self, Target};

use super::Report;
use crate::live::Sides;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.interrupted {
            "interrupted at"
        } else {
            "complete after"
        };
        writeln!(f, "{}: {state} {} of virtual time", self.name, self.reached)?;
        let sides = self.live.as_ref().map_or(Sides::BOTH, |live| live.sides);
        if sides.meters {
            self.meters(f)?;
            self.authentication(f)?;
            self.keys(f)?;
        } else {
            self.headend(f)?;
        }
        self.traffic(f)?;
        if sides == Sides::BOTH {
            self.reads(f)?;
        }
        self.mdms(f)?;
        self.requests(f)?;
        self.commands(f)?;
        self.responses(f)?;
        self.outages(f)?;
        self.han(f)?;
        self.images(f)?;
        self.optical(f)?;
        self.attacks(f)?;
        self.kpis(f)?;
        self.cost(f)?;
        match &self.live {
            Some(figures) => writeln!(f, "{figures}")?,
            None => writeln!(f, "digest    {}", self.digest)?,
        }
        if self.live.is_none() && !self.attackers.is_empty() {
            writeln!(f, "          {} without attackers", self.benign_digest)?;
        }
        for verdict in &self.verdicts {
            writeln!(f, "expect    {verdict}")?;
        }
        if let Some(capture) = &self.capture {
            let [packets, octets] = [capture.packets, capture.octets].map(grouped);
            let path = capture.path.display();
            writeln!(f, "capture   {packets} packets, {octets} octets in {path}")?;
        }
        write!(f, "results   {}", self.folder.display())
    }
}

impl Report {
    fn number(&self, path: &str) -> String {
        match self.summary.get(path) {
            None => "-".to_owned(),
            Some(value) if path.ends_with("_ratio") => format!("{:.3} %", value * 100.0),
            Some(value) if value.fract() == 0.0 => grouped(value as u64),
            Some(value) => format!("{value:.3}"),
        }
    }

    fn quantiles(&self, path: &str) -> String {
        ["p50", "p95", "p99"]
            .map(|quantile| {
                format!(
                    "{quantile} {} s",
                    self.number(&format!("{path}.{quantile}"))
                )
            })
            .join(", ")
    }

    fn meters(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [joined, count, ratio] =
            ["meters.joined", "meters.count", "meters.joined_ratio"].map(|path| self.number(path));
        writeln!(f, "meters    {joined} of {count} joined ({ratio})")?;
        writeln!(
            f,
            "          time to join {}",
            self.quantiles("meters.time_to_join_s")
        )
    }

    fn headend(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [served, sessions, reads] =
            ["headend.served", "headend.sessions_max", "reads.delivered"]
                .map(|path| self.number(path));
        writeln!(
            f,
            "head-end  {served} datagrams served, {sessions} sessions at once, {reads} reads \
             delivered"
        )
    }

    fn authentication(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [initial, repeated, failed, retransmissions] = [
            "auth.initial",
            "auth.reauthentications",
            "auth.failed",
            "auth.retransmissions",
        ]
        .map(|path| self.number(path));
        writeln!(
            f,
            "auth      {initial} initial, {repeated} re-authentications, {failed} failed"
        )?;
        let latency = self.quantiles("auth.latency_s");
        writeln!(
            f,
            "          latency {latency}; {retransmissions} retransmissions"
        )
    }

    fn keys(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [derived, rotations, expired, late, per_meter] = [
            "keys.derived",
            "keys.rotations",
            "keys.expired",
            "keys.used_after_expiry",
            "keys.rotations_per_meter.mean",
        ]
        .map(|path| self.number(path));
        writeln!(
            f,
            "keys      {derived} derived, {rotations} rotated ({per_meter} per meter), \
             {expired} expired, {late} used after expiry"
        )
    }

    fn traffic(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [pana, c1222, datagrams, lost] =
            ["pana_bytes", "c1222_bytes", "datagrams", "datagrams_lost"]
                .map(|what| self.number(&format!("traffic.{what}")));
        writeln!(
            f,
            "traffic   PANA {pana} octets, C12.22 {c1222} octets on the links"
        )?;
        writeln!(
            f,
            "          {datagrams} datagrams, {lost} of them lost or dropped"
        )?;
        for (tap, (frames, octets)) in self.taps.iter().zip(&self.counts.taps) {
            let (frames, octets) = (grouped(*frames), grouped(*octets));
            writeln!(f, "          tap {tap}: {octets} octets in {frames} frames")?;
        }
        Ok(())
    }

    fn reads(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [delivered, due, ratio] = ["reads.delivered", "reads.due", "reads.completeness_ratio"]
            .map(|path| self.number(path));
        writeln!(f, "reads     {delivered} of {due} delivered ({ratio})")?;
        writeln!(f, "          latency {}", self.quantiles("reads.latency_s"))
    }

    fn mdms(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self
            .summary
            .get("mdms.days")
            .is_none_or(|count| count == 0.0)
        {
            return Ok(());
        }
        let [on_time, expected, ratio, late] = [
            "mdms.on_time",
            "mdms.expected",
            "mdms.completeness_ratio",
            "mdms.late",
        ]
        .map(|path| self.number(path));
        writeln!(
            f,
            "mdms      {on_time} of {expected} intervals on time ({ratio}), {late} late"
        )?;
        let [missing, estimated, validated, failed] = [
            "mdms.missing",
            "mdms.estimated",
            "mdms.validated",
            "mdms.validation_failures",
        ]
        .map(|path| self.number(path));
        writeln!(
            f,
            "          {missing} missing, {estimated} of them estimated; {validated} days compared \
             with registers, {failed} do not agree"
        )
    }

    fn requests(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let some = |path: &str| self.summary.get(path).is_some_and(|count| count > 0.0);
        if !some("requests.count") {
            return Ok(());
        }
        let [done, count, ratio, repeated] = [
            "requests.succeeded",
            "requests.count",
            "requests.success_ratio",
            "requests.repetitions",
        ]
        .map(|path| self.number(path));
        writeln!(
            f,
            "requests  {done} of {count} done ({ratio}), {repeated} messages sent again"
        )?;
        if some("requests.on_demand.count") {
            let prompt = self.number("requests.on_demand.within_15s_ratio");
            let latency = self.quantiles("requests.on_demand.latency_s");
            writeln!(
                f,
                "          on demand {prompt} within 15 s, latency {latency}"
            )?;
        }
        Ok(())
    }

    fn images(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let some = |path: &str| self.summary.get(path).is_some_and(|count| count > 0.0);
        if !["offered", "refused", "held_back"]
            .map(|what| some(&format!("firmware.{what}")))
            .contains(&true)
        {
            return Ok(());
        }
        let [offered, activated, faulty, refused, halted, held_back] = [
            "offered",
            "activated",
            "faulty",
            "refused",
            "halted",
            "held_back",
        ]
        .map(|what| self.number(&format!("firmware.{what}")));
        write!(
            f,
            "firmware  {activated} of {offered} images run, {faulty} faulty, {refused} refused"
        )?;
        if some("firmware.halted") || some("firmware.held_back") {
            write!(f, "; {halted} meters halted, {held_back} held back")?;
        }
        writeln!(f)
    }

    fn optical(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let some = |path: &str| self.summary.get(path).is_some_and(|count| count > 0.0);
        if !some("optical.sessions") && !some("optical.intruder_sessions") {
            return Ok(());
        }
        let [sessions, completed, read, written, wrong, locked] = [
            "sessions",
            "completed",
            "tables_read",
            "tables_written",
            "wrong_passwords",
            "lockouts",
        ]
        .map(|what| self.number(&format!("optical.{what}")));
        writeln!(
            f,
            "optical   {completed} of {sessions} sessions completed, {read} tables read, \
             {written} written"
        )?;
        writeln!(
            f,
            "          {wrong} wrong passwords, ports locked {locked} times"
        )
    }

    fn han(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let devices = self.summary.get("han.devices");
        if devices.is_none_or(|devices| devices == 0.0) {
            return Ok(());
        }
        let [devices, keyed, keys] =
            ["han.devices", "han.keyed_ratio", "han.keys"].map(|path| self.number(path));
        writeln!(
            f,
            "homes     {devices} devices, {keyed} with a link key, {keys} keys taken into use"
        )?;
        let [received, ratio, stale] = [
            "han.updates_received",
            "han.delivery_ratio",
            "han.stale_ratio",
        ]
        .map(|path| self.number(path));
        writeln!(
            f,
            "          {received} updates delivered ({ratio}), stale for {stale} of the time"
        )
    }

    fn commands(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self
            .summary
            .get("commands.count")
            .is_none_or(|count| count == 0.0)
        {
            return Ok(());
        }
        let [applied, count, prompt, confirmed, lost] = [
            "commands.applied",
            "commands.count",
            "commands.applied_within_10s_ratio",
            "commands.confirmed",
            "load.lost_mw.max",
        ]
        .map(|path| self.number(path));
        writeln!(
            f,
            "switches  {applied} of {count} orders carried out ({prompt} within 10 s), {confirmed} \
             confirmed, {lost} MW cut off at most"
        )?;
        writeln!(
            f,
            "          latency {}",
            self.quantiles("commands.latency_s")
        )
    }

    fn responses(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let orders = self.summary.get("demand_response.orders");
        if orders.is_none_or(|orders| orders == 0.0) {
            return Ok(());
        }
        let [received, orders, prompt, homes, held, rebound] = [
            "demand_response.received",
            "demand_response.orders",
            "demand_response.received_within_60s_ratio",
            "demand_response.homes",
            "load.held_mw.max",
            "load.rebound_mw.max",
        ]
        .map(|path| self.number(path));
        writeln!(
            f,
            "response  {received} of {orders} meters took their orders ({prompt} within 60 s), \
             {homes} homes held back"
        )?;
        writeln!(
            f,
            "          {held} MW at most, {rebound} MW in addition afterwards"
        )?;
        let latency = self.quantiles("demand_response.latency_s");
        writeln!(f, "          latency {latency}")
    }

    /// The key performance indicators that have a target, and whether they meet it.
    fn kpis(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let targets =
            kpi::measured(&self.summary).filter_map(|(kpi, value)| Some((kpi, value, kpi.target?)));
        for (index, (kpi, value, target)) in targets.enumerate() {
            let heading = if index == 0 { "kpi" } else { "" };
            let (bound, sign) = match target {
                Target::AtLeast(bound) => (bound, ">="),
                Target::AtMost(bound) => (bound, "<="),
            };
            let unit = if kpi.path.ends_with("_s") { " s" } else { "" };
            let bound = if kpi.path.ends_with("_ratio") {
                format!("{:.1} %", bound * 100.0)
            } else {
                format!("{bound}{unit}")
            };
            let verdict = if target.is_met(value) { "" } else { ", missed" };
            let shown = self.number(kpi.path);
            writeln!(
                f,
                "{heading:<10}{}: {shown}{unit} (usual target {sign} {bound}{verdict})",
                kpi.name
            )?;
        }
        Ok(())
    }

    fn outages(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self
            .summary
            .get("outages.count")
            .is_none_or(|all| all == 0.0)
        {
            return Ok(());
        }
        let [all, momentary, dark, heard, restored] = [
            "outages.count",
            "outages.momentary",
            "outages.dark",
            "outages.last_gasp_ratio",
            "outages.restoration_ratio",
        ]
        .map(|path| self.number(path));
        writeln!(
            f,
            "outages   {all} at meters, {momentary} momentary, {dark} longer than the capacitor"
        )?;
        let latency = self.quantiles("outages.last_gasp_latency_s");
        writeln!(f, "          {heard} announced by a last gasp, {latency}")?;
        let latency = self.quantiles("outages.restoration_latency_s");
        writeln!(f, "          {restored} reported as restored, {latency}")
    }

    fn attacks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (attacker, counts) in self.attackers.iter().zip(&self.counts.attacks) {
            let capability = &attacker.capability;
            let [actions, accepted, rejected] =
                [counts.actions, counts.accepted, counts.rejected].map(grouped);
            writeln!(
                f,
                "attack    {}: {}, {capability}\n          \
                 {actions} actions, {accepted} accepted, {rejected} rejected",
                attacker.name,
                attacker.attack.name(),
            )?;
        }
        Ok(())
    }

    fn cost(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wall = self.wall.as_secs_f64();
        let rate = |count: u64| grouped((count as f64 / wall.max(1e-9)) as u64);
        writeln!(
            f,
            "cost      {wall:.2} s on {} thread(s): {} events/s, {} datagrams/s, \
             {} authentications/s",
            self.threads,
            rate(self.events),
            rate(self.counts.datagrams),
            rate(self.counts.authentications),
        )
    }
}

/// A number with its digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
