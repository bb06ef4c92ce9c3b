//! Optical ports of meters, and who comes to them with which errand.

use std::sync::Arc;

use firmware::Duration;
use firmware::c1218::{Baud, Lockout, Policy};
use firmware::c1219::access::{Groups, Password};
use firmware::c1219::procedure::ProcedureId;
use firmware::c1219::switch::{PROCEDURE, SwitchAction, SwitchCommand};
use firmware::c1222::service::{Password as Key, TableId};
use firmware::meter::DeviceConfig;
use models::attack::{self, Attacker};
use models::field::{Content, Errand, FieldService, Probe as ProbePlan, Route, Task};
use models::time::Time;

use super::record::{choice, record, settings};
use super::requests::octets;
use super::schema::{Action, Scenario};
use super::units::Ratio;

/// ST5 DEVICE_IDENT and its octets.
const IDENTIFICATION: TableId = TableId::standard(5);
pub(super) const IDENTIFICATION_LEN: usize = 20;
/// ST52.
const CLOCK: TableId = TableId::standard(52);
/// What an installer looks at when he is done: nameplate, status, clock.
const AFTER_INSTALLATION: [u16; 3] = [1, 3, 52];
/// Number and name of an intruder: those of nobody.
const INTRUDER: (u16, &str) = (0, "");
/// Speeds that Negotiate can name.
pub(super) const SPEEDS: [u32; 14] = [
    300, 600, 1_200, 2_400, 4_800, 9_600, 14_400, 19_200, 28_800, 57_600, 38_400, 115_200, 128_000,
    256_000,
];

settings! {
    /// Optical ports of all meters (ANSI C12.18), and the passwords that they know.
    pub struct Optical {
        /// Passwords besides that of the head-end, at most three (C12.19 ST42).
        passwords: Vec<AccessPassword> = Vec::new(),
        /// Wrong passwords in a row that lock a port; 0 for a port that is never locked.
        lockout_after: u32 = 3,
        /// How long no password is accepted then.
        lockout: Duration = Duration::from_secs(300),
        /// The fastest speed that a port agrees to, in baud.
        baud: u32 = 57_600,
    }
}

record! {
    /// A password and what it permits.
    pub struct AccessPassword {
        /// The password, 1 to 20 octets.
        password: String,
        /// What whoever knows it may do.
        access: Access,
    }
}

choice! {
    /// What a password permits (C12.19 ST42 to ST44).
    #[derive(Copy, Eq)]
    pub enum Access {
        /// Reading what not everybody may read.
        Reader,
        /// Also setting up the meter.
        Installer,
        /// Also operating the switch and changing rights.
        Master,
    }
}

settings! {
    /// The probe of a technician and its program.
    pub struct Probe {
        /// The fastest speed that it offers, in baud; lines begin at 9600.
        baud: u32 = 57_600,
        /// Octets of a packet that it offers, 32 to 8192; lines begin at 64.
        packet_size: u16 = 512,
        /// Packets of a message that it offers, 1 to 255; lines begin at 1.
        packets: u8 = 255,
        /// Share of the packets and acknowledgements in which a bit is wrong.
        frame_errors: Ratio = Ratio::ZERO,
        /// Sessions that are begun at a meter that does not answer, 1 to 100.
        sessions: u32 = 3,
    }
}

choice! {
    /// What a technician does at each meter.
    pub enum FieldErrand {
        /// Reads whole tables.
        Read {
            /// Their numbers; those of manufacturer tables lie 2048 higher.
            tables: Vec<u16> = vec![1, 3, 5, 52, 74, 76],
        },
        /// Writes the identification (ST5), sets the clock (ST52) and looks at the meter.
        Install {
            /// The identification, at most 20 octets; `{n}` or `{n:06}` becomes the number of the
            /// meter in its cohort.
            identification: String = "{cohort}-{n:06}".to_owned(),
        },
        /// Writes tables, reads them back, and runs procedures.
        Configure {
            /// Tables.
            writes: Vec<FieldWrite> = Vec::new(),
            /// Procedures.
            procedures: Vec<FieldProcedure> = Vec::new(),
        },
    }
}

record! {
    /// A table that is written as a whole.
    pub struct FieldWrite {
        /// Its number; those of manufacturer tables lie 2048 higher.
        table: u16,
        /// Its octets in hexadecimal digits.
        data: String,
    }
}

record! {
    /// A procedure that is run (C12.19 ST7).
    pub struct FieldProcedure {
        /// Its number; those of the manufacturer lie 2048 higher.
        number: u16,
        /// Its parameters in hexadecimal digits.
        parameters: String = String::new(),
    }
}

impl Optical {
    /// Adds the ports and their passwords to what the firmware of meters knows.
    pub fn device(&self, device: DeviceConfig) -> DeviceConfig {
        let own = self
            .passwords
            .iter()
            .map(|entry| Password::new(entry.password.as_bytes(), entry.access.groups()));
        let mut optical = Policy::default();
        optical.limits.baud = speed(self.baud);
        optical.lockout = (self.lockout_after > 0).then_some(Lockout {
            attempts: self.lockout_after,
            duration: self.lockout,
        });
        DeviceConfig {
            passwords: device.passwords.iter().cloned().chain(own).collect(),
            optical,
            ..device
        }
    }
}

impl Access {
    const fn groups(self) -> Groups {
        match self {
            Self::Reader => Groups::READER,
            Self::Installer => Groups(Groups::READER.0 | Groups::INSTALLER.0),
            Self::Master => Groups(Groups::READER.0 | Groups::INSTALLER.0 | Groups::MASTER.0),
        }
    }
}

impl Probe {
    fn plan(&self) -> ProbePlan {
        ProbePlan {
            packet_size: self.packet_size,
            packets: self.packets,
            baud: speed(self.baud),
            damaged_ppb: self.frame_errors.ppb(),
            sessions_max: self.sessions,
        }
    }
}

impl FieldErrand {
    /// The name in results.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Read { .. } => "read",
            Self::Install { .. } => "install",
            Self::Configure { .. } => "configure",
        }
    }

    fn tasks(&self) -> Vec<Task> {
        let read = |tables: &[u16]| -> Vec<Task> {
            let tables = tables.iter().copied().map(TableId);
            tables.map(Task::Read).collect()
        };
        match self {
            Self::Read { tables } => read(tables),
            Self::Install { identification } => {
                let text = Content::Text(identification.clone(), IDENTIFICATION_LEN);
                let mut tasks = vec![
                    Task::Write(IDENTIFICATION, text),
                    Task::Write(CLOCK, Content::Clock),
                ];
                tasks.extend(read(&AFTER_INSTALLATION));
                tasks
            }
            Self::Configure { writes, procedures } => {
                // Texts that are no octets were refused with the scenario.
                let octets = |text: &str| octets(text).unwrap_or_default();
                let writes = writes.iter().map(|write| {
                    Task::Write(TableId(write.table), Content::Octets(octets(&write.data)))
                });
                let procedures = procedures.iter().map(|procedure| {
                    let parameters = octets(&procedure.parameters);
                    Task::Run(ProcedureId(procedure.number), parameters)
                });
                writes.chain(procedures).collect()
            }
        }
    }
}

/// The speed of a line that has been checked.
fn speed(bits_per_s: u32) -> Baud {
    let codes = (1..=14).filter_map(Baud::from_code);
    let mut found = codes.filter(|baud| baud.bits_per_second() == bits_per_s);
    found.next().unwrap_or(Baud::DEFAULT)
}

/// A name as Logon has it.
fn user(name: &str) -> [u8; 10] {
    let mut user = [b' '; 10];
    for (target, octet) in user.iter_mut().zip(name.bytes()) {
        *target = octet;
    }
    user
}

/// Everybody who comes to optical ports: technicians of the timeline, and attackers.
pub fn services(
    scenario: &Scenario,
    attackers: &[Attacker],
    cohort_index: impl Fn(&str) -> usize,
) -> Vec<FieldService> {
    let technicians = scenario.timeline.iter().filter_map(|step| {
        let Action::FieldService {
            cohort,
            fraction,
            errand,
            technicians,
            travel,
            per_visit,
            user_id,
            user: name,
            password,
            probe,
        } = &step.action
        else {
            return None;
        };
        Some(FieldService {
            user_id: *user_id,
            user: user(name),
            probe: probe.plan(),
            errand: Errand::Work {
                name: errand.name(),
                password: (!password.is_empty()).then(|| Key::new(password.as_bytes(), None)),
            },
            tasks: errand.tasks().into(),
            route: Some(Route {
                at: Time::ZERO + step.at,
                cohort: cohort_index(cohort),
                fraction_ppb: fraction.ppb(),
                technicians: *technicians,
                travel: travel.model(),
                stay: *per_visit,
            }),
        })
    });
    let intruders = (0..).zip(attackers).filter_map(|(index, attacker)| {
        let attack::Attack::Optical {
            digits,
            first,
            guesses,
            patience,
            disconnect,
            ..
        } = attacker.attack
        else {
            return None;
        };
        let open = SwitchCommand::of(SwitchAction::Open, 0);
        let tasks: Arc<[Task]> = if disconnect {
            [Task::Run(PROCEDURE, open.octets().to_vec())].into()
        } else {
            [].into()
        };
        Some(FieldService {
            user_id: INTRUDER.0,
            user: user(INTRUDER.1),
            // He takes the line as it is.
            probe: ProbePlan {
                packet_size: 64,
                packets: 1,
                baud: Baud::DEFAULT,
                damaged_ppb: 0,
                sessions_max: u32::MAX,
            },
            errand: Errand::Guess {
                attacker: index,
                digits,
                first,
                guesses,
                pause: attacker.capability.every,
                patience,
            },
            tasks,
            route: None,
        })
    });
    technicians.chain(intruders).collect()
}
