//! What the head-end asks meters: schedules, requests of the timeline, and how they are made.

use std::sync::Arc;

use firmware::Duration;
use firmware::c1219::procedure::ProcedureId;
use firmware::c1222::service::{Logon, Password, TableId};
use firmware::headend::{
    Call, Class, Message, Part, Persistence, ProfileScope, RequestPolicy, Task,
};
use models::requests::RequestPlan;
use models::time::Time;
use reports::label;

use super::record::{choice, record, settings};
use super::rollout;
use super::schema::{Action, Scenario};
use super::switching::{OPERATOR, OPERATOR_ID, gap};

/// ST23, the registers as they are.
const REGISTERS: u16 = 23;
/// Bit 12 of a table number: its pending image.
const PENDING: u16 = 0x1000;
/// Octets of a table that one message writes.
const WRITE_PART: usize = 400;
/// Standard procedure 12: activate all pending tables.
const ACTIVATE_ALL: ProcedureId = ProcedureId::standard(12);
/// Pending event: something else than a time activates the table.
const ON_PROCEDURE: [u8; 6] = [0x0F, 0, 0, 0, 0, 0];

settings! {
    /// How the head-end makes requests to meters.
    pub struct Requests {
        /// Requests that begin per second, over all instances.
        rate_per_s: f64 = 200.0,
        /// Messages of an instance that wait for a response at most.
        outstanding: u32 = 500,
    }
}

choice! {
    /// What is read.
    pub enum Reading {
        /// The current registers (ST23).
        Registers,
        /// What is missing of the load profile (ST64).
        Profile {
            /// How far back at most.
            depth: Duration = Duration::from_secs(3 * 86_400),
        },
        /// Whole tables, in one message; one that is too large for the response in parts after it.
        Tables {
            /// Their numbers; those of manufacturer tables lie 2048 higher.
            numbers: Vec<u16>,
        },
    }
}

record! {
    /// Reads that are made again and again.
    pub struct Schedule {
        /// Name in the results, unique among the schedules.
        name: String,
        /// What is read.
        what: Reading,
        /// Whose meters; all if absent.
        cohort: Option<String> = None,
        /// Period.
        every: Duration,
        /// When the first round begins.
        first: Duration = Duration::ZERO,
        /// Window over which the meters of a round follow each other, evenly.
        window: Duration = Duration::ZERO,
        /// Transmissions of a message before the read waits for the next round.
        attempts: u32 = 4,
        /// Time to wait for a response, at most 30 s.
        timeout: Duration = Duration::from_secs(30),
        /// Pause before the second attempt.
        pause: Duration = Duration::from_secs(300),
        /// What each further pause is longer by.
        factor: u32 = 3,
    }
}

impl Requests {
    /// The same for the software of one of `instances`, which share the rate.
    pub fn policy(&self, instances: u32) -> RequestPolicy {
        RequestPolicy {
            gap: gap(self.rate_per_s).scaled(u64::from(instances), 1),
            outstanding_max: self.outstanding,
        }
    }
}

/// How persistent requests are that somebody waits for.
const IMPATIENT: Persistence = Persistence {
    attempts: 4,
    timeout: Duration::from_secs(10),
    pause: Duration::ZERO,
    factor: 1,
    deadline: Duration::from_secs(120),
};

/// How persistent requests are that have to succeed some time.
const PATIENT: Persistence = Persistence {
    attempts: 8,
    timeout: Duration::from_secs(30),
    pause: Duration::from_secs(60),
    factor: 2,
    deadline: Duration::from_secs(4 * 3_600),
};

impl Reading {
    /// What is read, in a word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Registers => label::READ_REGISTERS,
            Self::Profile { .. } => "read_profile",
            Self::Tables { .. } => "read_tables",
        }
    }

    fn task(&self, class: Class, persistence: Persistence) -> Task {
        let read = |number: &u16| Call::Read(TableId(*number), Part::Full);
        let (calls, profile) = match self {
            Self::Registers => (vec![read(&REGISTERS)], None),
            Self::Profile { depth } => {
                // Meters keep intervals from whoever does not prove to be a reader (ST44).
                let password = Some(Password::new(OPERATOR, Some(OPERATOR_ID)));
                let depth = *depth;
                (Vec::new(), Some(ProfileScope { depth, password }))
            }
            Self::Tables { numbers } => (numbers.iter().map(read).collect(), None),
        };
        let messages = (!calls.is_empty()).then(|| Message::new(calls));
        Task {
            class,
            messages: messages.into_iter().collect(),
            profile,
            image: None,
            tolerant: false,
            persistence,
        }
    }
}

/// The requests of a scenario, schedules first; `cohort_index` finds cohorts by their names.
pub fn plans(scenario: &Scenario, cohort_index: impl Fn(&str) -> usize) -> Vec<RequestPlan> {
    let schedules = scenario.headend.reads.iter().map(|schedule| RequestPlan {
        name: schedule.name.clone(),
        kind: schedule.what.kind(),
        task: Arc::new(schedule.what.task(
            Class::Reading,
            Persistence {
                attempts: schedule.attempts,
                timeout: schedule.timeout,
                pause: schedule.pause,
                factor: schedule.factor,
                // The next round asks for what this one has not brought.
                deadline: schedule.every,
            },
        )),
        cohort: schedule.cohort.as_deref().map(&cohort_index),
        fraction_ppb: 1_000_000_000,
        except_ppb: 0,
        window: schedule.window,
        first: Time::ZERO + schedule.first,
        every: Some(schedule.every),
        wave: None,
    });
    let steps = scenario.timeline.iter().filter_map(|step| {
        let request = of_action(&step.action)?;
        Some(RequestPlan {
            name: request.kind.to_owned(),
            kind: request.kind,
            task: Arc::new(request.task),
            cohort: Some(cohort_index(request.cohort)),
            fraction_ppb: request.fraction_ppb,
            except_ppb: 0,
            window: request.window,
            first: Time::ZERO + step.at,
            every: None,
            wave: None,
        })
    });
    let updates = scenario
        .timeline
        .iter()
        .flat_map(|step| rollout::plans(scenario, step.at, &step.action, &cohort_index));
    schedules.chain(steps).chain(updates).collect()
}

/// What an entry of the timeline asks of whom.
struct Asked<'a> {
    kind: &'static str,
    task: Task,
    cohort: &'a str,
    fraction_ppb: u32,
    window: Duration,
}

fn of_action(action: &Action) -> Option<Asked<'_>> {
    Some(match action {
        Action::OnDemandRead {
            cohort,
            fraction,
            what,
            window,
        } => Asked {
            kind: label::ON_DEMAND_READ,
            task: what.task(Class::Control, IMPATIENT),
            cohort,
            fraction_ppb: fraction.ppb(),
            window: *window,
        },
        Action::SetTime {
            cohort,
            fraction,
            window,
        } => Asked {
            kind: "set_time",
            task: privileged(vec![vec![Call::SetTime]], Class::Configuration, PATIENT),
            cohort,
            fraction_ppb: fraction.ppb(),
            window: *window,
        },
        Action::Download {
            cohort,
            fraction,
            table,
            data,
            pending,
            window,
        } => Asked {
            kind: "download",
            task: download(*table, &octets(data).unwrap_or_default(), *pending),
            cohort,
            fraction_ppb: fraction.ppb(),
            window: *window,
        },
        Action::ServiceTest {
            cohort,
            fraction,
            disconnect,
            window,
        } => Asked {
            kind: "service_test",
            task: service_test(*disconnect),
            cohort,
            fraction_ppb: fraction.ppb(),
            window: *window,
        },
        _ => return None,
    })
}

/// Messages each of which proves that the operator has sent it.
fn privileged(messages: Vec<Vec<Call>>, class: Class, persistence: Persistence) -> Task {
    let password = || Call::Security(Password::new(OPERATOR, Some(OPERATOR_ID)));
    let message = |calls: Vec<Call>| {
        let calls = std::iter::once(password()).chain(calls).collect();
        Message::new(calls)
    };
    Task {
        class,
        messages: messages.into_iter().map(message).collect(),
        profile: None,
        image: None,
        tolerant: false,
        persistence,
    }
}

/// Writes `data` to a table in parts; a pending one takes effect by the procedure that ends it.
fn download(table: u16, data: &[u8], pending: bool) -> Task {
    let image: Vec<u8> = if pending {
        ON_PROCEDURE.iter().chain(data).copied().collect()
    } else {
        data.to_vec()
    };
    let table = TableId(if pending { table | PENDING } else { table });
    let part = |(index, octets): (usize, &[u8])| {
        let offset = (index * WRITE_PART) as u32;
        let part = Part::Offset(offset, octets.len() as u16);
        vec![Call::Write(table, part, octets.into())]
    };
    let mut messages: Vec<Vec<Call>> = if image.len() <= WRITE_PART {
        vec![vec![Call::Write(table, Part::Full, image[..].into())]]
    } else {
        image.chunks(WRITE_PART).enumerate().map(part).collect()
    };
    if pending {
        messages.push(vec![Call::Procedure(ACTIVATE_ALL, [].into())]);
    }
    privileged(messages, Class::Configuration, PATIENT)
}

/// Every service of C12.22 in a conversation that a meter can have.
fn service_test(disconnect: bool) -> Task {
    let logon = || {
        Call::Logon(Logon {
            user_id: OPERATOR_ID,
            user: *b"OPERATOR  ",
            idle_timeout_s: Some(300),
        })
    };
    let st = TableId::standard;
    let mut messages = vec![
        vec![Call::Identification],
        vec![logon(), Call::Security(Password::new(OPERATOR, None))],
        vec![
            Call::Read(st(1), Part::Full),
            Call::Read(st(1), Part::Offset(4, 8)),
            Call::Read(st(0), Part::Indices([0, 0].into(), 1)),
            Call::Read(st(1), Part::Default),
        ],
        vec![Call::Wait(60)],
        vec![Call::Resolve, Call::Trace],
        // Saving the configuration changes nothing: procedure 2 is written and its result read.
        vec![Call::Procedure(ProcedureId::standard(2), [].into())],
        vec![Call::Deregister],
        vec![Call::Logoff],
        vec![logon(), Call::Terminate],
    ];
    if disconnect {
        let password = Password::new(OPERATOR, Some(OPERATOR_ID));
        messages.push(vec![Call::Security(password), Call::Disconnect]);
    }
    Task {
        class: Class::Configuration,
        messages: messages.into_iter().map(Message::new).collect(),
        profile: None,
        image: None,
        tolerant: true,
        persistence: IMPATIENT,
    }
}

/// The octets that hexadecimal digits stand for; spaces between octets do not count.
pub fn octets(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|character| !character.is_whitespace())
        .map(|character| character.to_digit(16).map(|digit| digit as u8))
        .collect();
    let digits = digits?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty()
        .then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_are_octets() {
        assert_eq!(octets("00 fF\n1a"), Some(vec![0x00, 0xFF, 0x1A]));
        assert_eq!(octets(""), Some(Vec::new()));
        assert_eq!(octets("0"), None);
        assert_eq!(octets("0g"), None);
    }

    #[test]
    fn long_tables_are_written_in_parts() {
        let data = vec![7; 1_000];
        let task = download(54, &data, true);
        let writes: Vec<(u16, u32, usize)> = task
            .messages
            .iter()
            .filter_map(|message| match &message.calls[1] {
                Call::Write(table, Part::Offset(offset, count), octets) => {
                    assert_eq!(usize::from(*count), octets.len());
                    Some((table.0, *offset, octets.len()))
                }
                _ => None,
            })
            .collect();
        let table = 0x1000 | 54;
        assert_eq!(
            writes,
            [(table, 0, 400), (table, 400, 400), (table, 800, 206)]
        );
        let last = &task.messages.last().unwrap().calls[1];
        assert!(matches!(last, Call::Procedure(ACTIVATE_ALL, _)));
        assert_eq!(download(54, &data[..400], false).messages.len(), 1);
    }
}
