//! Whoever holds the probe: his program, step by step.
//!
//! ```text
//!   technician  identification, negotiate, logon, security, tasks, logoff, terminate
//!   intruder    identification, negotiate, then logon, security, logoff for each guess;
//!               tasks after a right one
//! ```

use firmware::Instant;
use firmware::c1218::service::{Negotiate, Request};
use firmware::c1218::{Baud, Client, ClientEvent, Parameters, Timing};
use firmware::c1219::DateTime;
use firmware::c1219::clock::{Clock, Qualifier};
use firmware::c1219::codec::{Encoder, Window};
use firmware::c1219::procedure::{Initiate, Outcome, ProcedureId, ResultCode};
use firmware::c1222::service::{
    Blocks, Logon, Password, Read, Request as Service, Response, ResponseCode, Selector, TableId,
    Write,
};
use firmware::wire::{Error, Writer};

use super::plan::{Content, Errand, FieldService, Task};
use crate::fleet::expand_identity;
use crate::time::{Duration, Time};

/// ST7 and ST8.
const INITIATE: TableId = TableId::standard(7);
const OUTCOME: TableId = TableId::standard(8);
/// Pause before a further session: the meter has then forgotten the one before.
const RETRY_PAUSE: Duration = Duration::from_secs(7);
/// Longest pause within a session: a meter gives up after six seconds of silence.
const SESSION_PAUSE_MAX: Duration = Duration::from_secs(5);

/// The request that is outstanding, or comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Identify,
    Negotiate,
    LogOn,
    Authorise,
    /// A task by its index.
    Task(usize),
    /// What a task has written is read back.
    Verify(usize),
    /// The result of the procedure that a task has run is read.
    Result(usize),
    LogOff,
    Terminate,
}

/// What a session has come to; times and octets are counted elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) baud: u32,
    pub(super) requests: u64,
    pub(super) refused: u64,
    pub(super) tables_read: u64,
    pub(super) octets_read: u64,
    pub(super) tables_written: u64,
    pub(super) verified: u64,
    pub(super) procedures: u64,
    pub(super) passwords: u64,
    pub(super) discarded: u64,
}

/// What the meter is called, for what is written to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) cohort: &'a str,
    pub(super) number: u32,
    /// Civil time of the start of the run.
    pub(super) start_utc_s: u64,
    /// The first SEQ_NBR of procedures of this visit.
    pub(super) sequence: u8,
}

/// What follows at the end of a step.
pub(super) enum Next {
    /// Nothing: a response is awaited, or a pause goes on.
    Wait,
    /// The session has ended so.
    SessionOver(&'static str),
    /// The visit has ended.
    Leave,
}

/// A visitor at a meter.
#[derive(Debug)]
pub(super) struct Visitor {
    client: Client,
    /// What comes next, between sessions nothing but the first step.
    step: Step,
    /// Nothing is asked before.
    pause_until: Time,
    /// When the next password is tried.
    resume_at: Time,
    /// Whether a session is under way.
    in_session: bool,
    /// Whether anything was answered in it.
    heard: bool,
    /// What the session has come to so far.
    outcome: &'static str,
    figures: Figures,
    sessions: u32,
    /// Guesses that were judged.
    guessed: u64,
    /// Whether the visit ends with the session.
    leaves: bool,
}

impl Visitor {
    pub(super) fn new(now: Time) -> Self {
        Self {
            client: Client::new(Timing::default()),
            step: Step::Identify,
            pause_until: now,
            resume_at: now,
            in_session: false,
            heard: false,
            outcome: "completed",
            figures: Figures::default(),
            sessions: 0,
            guessed: 0,
            leaves: false,
        }
    }

    /// The probe's program.
    pub(super) fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// The speed at which he listens.
    pub(super) const fn baud(&self) -> Baud {
        self.client.parameters().baud
    }

    pub(super) const fn is_in_session(&self) -> bool {
        self.in_session
    }

    /// Whether something has happened that his program has not seen.
    pub(super) fn has_heard(&self) -> bool {
        self.client.has_event()
    }

    /// The figures of the session, which begin anew.
    pub(super) fn take_figures(&mut self) -> Figures {
        std::mem::take(&mut self.figures)
    }

    /// When something is due.
    pub(super) fn next(&self) -> Time {
        if self.client.is_waiting() {
            let at = self.client.poll_timeout();
            at.map_or(Time::FAR_FUTURE, |at| Time(at.as_nanos()))
        } else {
            self.pause_until
        }
    }

    /// Takes what has happened and asks for what comes next.
    pub(super) fn proceed(&mut self, service: &FieldService, place: &Place<'_>, now: Time) -> Next {
        let local = Instant::from_nanos(now.as_nanos());
        if self.client.poll_timeout().is_some_and(|at| at <= local) {
            self.client.handle_timeout(local);
        }
        while let Some(event) = self.client.poll_event() {
            match event {
                ClientEvent::Rejected(_) => self.figures.discarded += 1,
                ClientEvent::Failed => {
                    let outcome = if self.heard { "lost" } else { "no_answer" };
                    return self.give_up(outcome, service, now);
                }
                ClientEvent::Response(message) => {
                    let over = self.answered(&message, service, place, now);
                    if let Some(outcome) = over {
                        return self.give_up(outcome, service, now);
                    }
                    if self.step == Step::Identify {
                        // Terminate has been answered.
                        self.in_session = false;
                        self.pause_until = self.resume_at.max(now);
                        return Next::SessionOver(self.outcome);
                    }
                }
            }
        }
        if self.client.is_waiting() || now < self.pause_until {
            return Next::Wait;
        }
        if !self.in_session {
            if self.leaves {
                return Next::Leave;
            }
            self.in_session = true;
            self.heard = false;
            self.outcome = "completed";
            self.sessions += 1;
            self.figures.baud = self.baud().bits_per_second();
        }
        while self.ask(service, place, local, now).is_err() {
            // The request does not fit into what has been agreed upon.
            if self.step == Step::Terminate {
                return self.give_up("lost", service, now);
            }
            self.refuse();
            self.skip(service);
        }
        Next::Wait
    }

    /// The session ends without Terminate.
    pub(super) fn break_off(&mut self) {
        self.in_session = false;
        self.client = Client::new(Timing::default());
    }

    fn give_up(&mut self, outcome: &'static str, service: &FieldService, now: Time) -> Next {
        self.break_off();
        self.step = Step::Identify;
        self.pause_until = now + RETRY_PAUSE;
        match service.errand {
            Errand::Work { .. } => self.leaves |= self.sessions >= service.probe.sessions_max,
            Errand::Guess { patience, .. } if outcome == "no_answer" => {
                self.pause_until = now + patience.max(RETRY_PAUSE);
            }
            Errand::Guess { .. } => {}
        }
        Next::SessionOver(outcome)
    }

    /// Sends the request of the present step.
    fn ask(
        &mut self,
        service: &FieldService,
        place: &Place<'_>,
        local: Instant,
        now: Time,
    ) -> Result<(), Error> {
        let probe = &service.probe;
        let read = |table| {
            let selector = Selector::Full;
            Service::Read(Read { table, selector })
        };
        let mut octets = Vec::new();
        let speeds = [Baud::DEFAULT.code(), probe.baud.code()];
        let request = match self.step {
            Step::Identify => Request::Common(Service::Identification),
            Step::Negotiate => Request::Negotiate(Negotiate {
                packet_size: probe.packet_size,
                packets: probe.packets,
                bauds: if probe.baud == Baud::DEFAULT {
                    &speeds[..1]
                } else {
                    &speeds
                },
            }),
            Step::LogOn => Request::Common(Service::Logon(Logon {
                user_id: service.user_id,
                user: service.user,
                idle_timeout_s: None,
            })),
            Step::Authorise => {
                let password = self.password(&service.errand);
                let password = password.ok_or(Error::Malformed("password"))?;
                Request::Common(Service::Security(password))
            }
            Step::Verify(task) => match service.tasks.get(task) {
                Some(Task::Write(table, _)) => Request::Common(read(*table)),
                _ => return Err(Error::Malformed("task")),
            },
            Step::Result(_) => Request::Common(read(OUTCOME)),
            Step::Task(index) => match service.tasks.get(index) {
                Some(Task::Read(table)) => Request::Common(read(*table)),
                Some(Task::Write(table, content)) => {
                    octets = content_octets(content, place, now)?;
                    Request::Common(write(*table, &octets))
                }
                Some(Task::Run(procedure, parameters)) => {
                    octets = initiate(*procedure, place.sequence_of(index), parameters)?;
                    Request::Common(write(INITIATE, &octets))
                }
                None => return Err(Error::Malformed("task")),
            },
            Step::LogOff => Request::Common(Service::Logoff),
            Step::Terminate => Request::Common(Service::Terminate),
        };
        self.client.request(&request, local)?;
        self.figures.requests += 1;
        drop(octets);
        Ok(())
    }

    /// Takes the response to the present step; returns how the session has failed, if it has.
    fn answered(
        &mut self,
        message: &[u8],
        service: &FieldService,
        place: &Place<'_>,
        now: Time,
    ) -> Option<&'static str> {
        self.heard = true;
        let Ok(response) = Response::parse(message) else {
            return Some("lost");
        };
        let ok = response.code == ResponseCode::Ok;
        match self.step {
            Step::Identify | Step::Negotiate | Step::LogOn if !ok => {
                self.refuse();
                return Some("refused");
            }
            Step::Identify => {
                let probe = &service.probe;
                let default = Parameters::default();
                let modest = probe.packet_size == default.packet_size
                    && probe.packets == default.packets
                    && probe.baud == default.baud;
                self.step = if modest { Step::LogOn } else { Step::Negotiate };
            }
            Step::Negotiate => {
                self.figures.baud = self.baud().bits_per_second();
                self.step = Step::LogOn;
            }
            Step::LogOn => {
                self.step = match &service.errand {
                    Errand::Work { password: None, .. } => self.task_or_end(0, service),
                    _ => Step::Authorise,
                };
            }
            Step::Authorise => self.judge_password(response.code, service, now),
            Step::Task(index) => self.finish_task(index, &response, service),
            Step::Verify(index) => {
                self.verify(index, &response, service, place, now);
                self.step = self.task_or_end(index + 1, service);
            }
            Step::Result(index) => {
                let block = Blocks::new(response.data).single();
                let outcome = block.and_then(Outcome::parse);
                let task = service.tasks.get(index);
                let done = outcome.is_ok_and(|outcome| {
                    let known = matches!(task, Some(Task::Run(procedure, _))
                        if outcome.answers(*procedure, place.sequence_of(index)));
                    let result = outcome.result;
                    known && matches!(result, ResultCode::Completed | ResultCode::Accepted)
                });
                if ok && done {
                    self.figures.procedures += 1;
                } else {
                    self.refuse();
                }
                self.step = self.task_or_end(index + 1, service);
            }
            Step::LogOff => self.step = self.after_log_off(service, now),
            Step::Terminate => self.step = Step::Identify,
        }
        None
    }

    fn finish_task(&mut self, index: usize, response: &Response<'_>, service: &FieldService) {
        let next = self.task_or_end(index + 1, service);
        if response.code != ResponseCode::Ok {
            self.refuse();
            self.step = next;
            return;
        }
        self.step = match service.tasks.get(index) {
            Some(Task::Read(_)) => match Blocks::new(response.data).single() {
                Ok(block) => {
                    self.figures.tables_read += 1;
                    self.figures.octets_read += block.len() as u64;
                    next
                }
                Err(_) => {
                    self.refuse();
                    next
                }
            },
            Some(Task::Write(_, content)) => {
                self.figures.tables_written += 1;
                match content {
                    Content::Clock => next,
                    _ => Step::Verify(index),
                }
            }
            Some(Task::Run(..)) => Step::Result(index),
            None => next,
        };
    }

    /// Compares what has been read back.
    fn verify(
        &mut self,
        index: usize,
        response: &Response<'_>,
        service: &FieldService,
        place: &Place<'_>,
        now: Time,
    ) {
        let Some(Task::Write(_, content)) = service.tasks.get(index) else {
            return;
        };
        let block = Blocks::new(response.data).single();
        let wanted = content_octets(content, place, now);
        let readable = response.code == ResponseCode::Ok;
        match (block, wanted) {
            (Ok(block), Ok(wanted)) if readable => {
                self.figures.tables_read += 1;
                self.figures.octets_read += block.len() as u64;
                if block == wanted {
                    self.figures.verified += 1;
                } else {
                    self.outcome = "mismatch";
                }
            }
            _ => self.refuse(),
        }
    }

    /// What a right, a wrong or an untimely password leads to.
    fn judge_password(&mut self, code: ResponseCode, service: &FieldService, now: Time) {
        let guessing = match &service.errand {
            Errand::Guess {
                guesses,
                pause,
                patience,
                ..
            } => Some((*guesses, *pause, *patience)),
            Errand::Work { .. } => None,
        };
        // What has to wait waits after the session is closed.
        self.step = Step::LogOff;
        match code {
            ResponseCode::Ok => {
                self.figures.passwords += 1;
                self.leaves = true;
                self.step = self.task_or_end(0, service);
            }
            ResponseCode::Dlk => {
                self.outcome = "locked_out";
                self.figures.refused += 1;
                match guessing {
                    Some((_, _, patience)) => self.resume_at = now + patience,
                    None => self.leaves = true,
                }
            }
            _ => {
                self.figures.passwords += 1;
                self.guessed += 1;
                self.outcome = "wrong_password";
                self.figures.refused += 1;
                match guessing {
                    Some((guesses, pause, _)) if self.guessed < guesses => {
                        self.resume_at = now + pause;
                    }
                    _ => self.leaves = true,
                }
            }
        }
    }

    /// After Logoff an intruder goes on guessing; everybody else says good-bye.
    fn after_log_off(&mut self, service: &FieldService, now: Time) -> Step {
        let goes_on = matches!(service.errand, Errand::Guess { .. })
            && !self.leaves
            && self.outcome == "wrong_password"
            && self.resume_at.saturating_since(now) <= SESSION_PAUSE_MAX;
        if goes_on {
            self.pause_until = self.resume_at.max(now);
            Step::LogOn
        } else {
            Step::Terminate
        }
    }

    /// The task with this index or, after the last one, the end.
    fn task_or_end(&mut self, index: usize, service: &FieldService) -> Step {
        if index < service.tasks.len() {
            Step::Task(index)
        } else {
            self.leaves = true;
            Step::LogOff
        }
    }

    /// Goes on after a request that could not be made.
    fn skip(&mut self, service: &FieldService) {
        self.step = match self.step {
            Step::Task(index) | Step::Verify(index) | Step::Result(index) => {
                self.task_or_end(index + 1, service)
            }
            _ => Step::Terminate,
        };
    }

    fn refuse(&mut self) {
        self.figures.refused += 1;
        if self.outcome == "completed" {
            self.outcome = "refused";
        }
    }

    /// The password that is tried now.
    fn password(&self, errand: &Errand) -> Option<Password> {
        match errand {
            Errand::Work { password, .. } => *password,
            Errand::Guess { digits, first, .. } => {
                let space = 10_u64.saturating_pow((*digits).into());
                let number = first.wrapping_add(self.guessed) % space.max(1);
                let width = usize::from(*digits);
                Some(Password::new(format!("{number:0width$}").as_bytes(), None))
            }
        }
    }
}

impl Place<'_> {
    /// SEQ_NBR of the procedure of a task: the same in every session of a visit, so that one that
    /// was lost after its execution is not executed again.
    ///
    /// They lie above those that a head-end uses before it has given 191 orders to a meter.
    fn sequence_of(&self, task: usize) -> u8 {
        192 + (usize::from(self.sequence) + task) as u8 % 64
    }
}

fn write(table: TableId, data: &[u8]) -> Service<'_> {
    Service::Write(Write {
        table,
        selector: Selector::Full,
        data,
    })
}

fn initiate(procedure: ProcedureId, sequence: u8, parameters: &[u8]) -> Result<Vec<u8>, Error> {
    let mut octets = vec![0; parameters.len() + 3];
    let initiate = Initiate {
        procedure,
        sequence,
        parameters,
    };
    initiate.emit(&mut Writer::new(&mut octets))?;
    Ok(octets)
}

/// The octets of a table that is written now.
fn content_octets(content: &Content, place: &Place<'_>, now: Time) -> Result<Vec<u8>, Error> {
    match content {
        Content::Octets(octets) => Ok(octets.clone()),
        Content::Text(pattern, len) => {
            let text = expand_identity(pattern, place.cohort, place.number);
            let mut octets = text.into_bytes();
            octets.resize(*len, b' ');
            Ok(octets)
        }
        Content::Clock => {
            let utc_s = (place.start_utc_s + now.as_secs()) as u32;
            // 1970 began on a Thursday.
            let day_of_week = (utc_s / 86_400 + 4) % 7;
            let clock = Clock {
                time: DateTime::from_utc(utc_s),
                qualifier: Qualifier::new(day_of_week as u8, Qualifier::GMT),
            };
            let mut octets = [0; 16];
            let mut window = Window::new(0, &mut octets);
            clock.emit(&mut Encoder::new(&mut window))?;
            Ok(window.octets().to_vec())
        }
    }
}
