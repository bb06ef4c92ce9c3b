//! What a scenario's timeline does, in the words of a report.

use firmware::Duration;

use crate::scenario::schema::{Action, Area, By};
use crate::scenario::units::Quantity;

/// An action in a few words.
pub(super) fn words(action: &Action) -> String {
    match action {
        Action::PowerOff {
            cohort,
            fraction,
            over,
        } => format!(
            "power off for {} of {cohort}{}",
            fraction.to_text(),
            window("over", *over)
        ),
        Action::PowerOn { cohort, within } => {
            format!("power on for {cohort}{}", window("within", *within))
        }
        Action::Outage {
            area,
            duration,
            restoration: _,
            stagger,
        } => {
            let area = match area {
                Area::City => "the city".to_owned(),
                Area::Feeder { number } => format!("feeder {number}"),
                Area::Transformer { number } => format!("transformer {number}"),
            };
            let duration = duration.to_text();
            let stagger = if stagger.is_zero() {
                String::new()
            } else {
                format!(", feeders back every {}", stagger.to_text())
            };
            format!("blackout of {area} for {duration}{stagger}")
        }
        Action::ConcentratorDown {
            medium,
            fraction,
            over,
            duration,
        } => format!(
            "{} of the concentrators of {medium} without power for {}{}",
            fraction.to_text(),
            duration.to_text(),
            window("over", *over)
        ),
        Action::HeadendDown {
            instance,
            duration,
            lose_sessions,
        } => format!(
            "head-end instance {instance} down for {}{}",
            duration.to_text(),
            if *lose_sessions {
                ", sessions lost"
            } else {
                ""
            }
        ),
        Action::LinkLoss {
            medium,
            loss,
            duration,
        } => format!(
            "loss of {} on {medium} for {}",
            loss.to_text(),
            duration.to_text()
        ),
        Action::Disconnect {
            cohort,
            fraction,
            window: width,
            ..
        } => format!(
            "switches of {} of {cohort} open{}",
            fraction.to_text(),
            window("within", *width)
        ),
        Action::Connect {
            cohort,
            fraction,
            window: width,
            ..
        } => format!(
            "switches of {} of {cohort} close{}",
            fraction.to_text(),
            window("within", *width)
        ),
        Action::OnDemandRead {
            cohort,
            fraction,
            window: width,
            ..
        } => format!(
            "on-demand read of {} of {cohort}{}",
            fraction.to_text(),
            window("within", *width)
        ),
        Action::SetTime {
            cohort,
            fraction,
            window: width,
        } => format!(
            "clocks of {} of {cohort} set{}",
            fraction.to_text(),
            window("within", *width)
        ),
        Action::Download {
            cohort,
            fraction,
            table,
            window: width,
            ..
        } => format!(
            "table {table} written to {} of {cohort}{}",
            fraction.to_text(),
            window("within", *width)
        ),
        Action::ServiceTest {
            cohort,
            fraction,
            window: width,
            ..
        } => format!(
            "all C12.22 services with {} of {cohort}{}",
            fraction.to_text(),
            window("within", *width)
        ),
        Action::FirmwareUpdate {
            cohort,
            fraction,
            version,
            window: width,
            ..
        } => format!(
            "firmware {version} sent to {} of {cohort}{}",
            fraction.to_text(),
            window("within", *width)
        ),
        Action::DemandResponse {
            id,
            cohort,
            fraction,
            duration,
            level,
            window: width,
            ..
        } => format!(
            "event {id}: {} of {cohort} limited to {} for {}{}",
            fraction.to_text(),
            level.to_text(),
            duration.to_text(),
            window("within", *width)
        ),
        Action::CancelResponse {
            id,
            cohort,
            fraction,
            window: width,
            ..
        } => format!(
            "event {id} cancelled for {} of {cohort}{}",
            fraction.to_text(),
            window("within", *width)
        ),
        Action::FieldService {
            cohort,
            fraction,
            errand,
            technicians,
            ..
        } => {
            let plural = if *technicians == 1 { "" } else { "s" };
            format!(
                "{technicians} technician{plural} to {} of {cohort}: {}",
                fraction.to_text(),
                errand.name()
            )
        }
        Action::LeaveGroup { cohort, fraction } => {
            format!("{} of {cohort} leave their group", fraction.to_text())
        }
        Action::Reauthenticate {
            cohort,
            fraction,
            by,
            within,
        } => format!(
            "re-authentication of {} of {cohort} by {}{}",
            fraction.to_text(),
            side(*by),
            window("within", *within)
        ),
        Action::Terminate {
            cohort,
            fraction,
            by,
            within,
        } => format!(
            "sessions of {} of {cohort} terminated by {}{}",
            fraction.to_text(),
            side(*by),
            window("within", *within)
        ),
    }
}

const fn side(by: By) -> &'static str {
    match by {
        By::Meter => "the meters",
        By::HeadEnd => "the head-end",
    }
}

fn window(preposition: &str, width: Duration) -> String {
    if width == Duration::ZERO {
        String::new()
    } else {
        format!(" {preposition} {}", width.to_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::units::Ratio;

    #[test]
    fn windows_are_named_only_if_there_are_any() {
        let cohort = || "homes".to_owned();
        let off = |over| Action::PowerOff {
            cohort: cohort(),
            fraction: Ratio::ONE,
            over,
        };
        assert_eq!(words(&off(Duration::ZERO)), "power off for 100% of homes");
        let within = Duration::from_secs(10);
        assert_eq!(words(&off(within)), "power off for 100% of homes over 10s");
        let on = Action::PowerOn {
            cohort: cohort(),
            within,
        };
        assert_eq!(words(&on), "power on for homes within 10s");
    }
}
