//! A request that is being made: where it stands, and what a response means for it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::parts::{PartRead, is_too_large};
use super::profile::ProfileRead;
use super::request::{RequestOutcome, RequestReport};
use super::requests::Learnt;
use super::rollout::ImageSend;
use super::task::{Message, Task, register_wh};
use crate::c1219::procedure::{Outcome, ResultCode};
use crate::c1222::acse::Authentication;
use crate::c1222::aptitle::Title;
use crate::c1222::epsem::ResponseControl;
use crate::c1222::service::{Blocks, Response, ResponseCode};
use crate::time::Instant;
use crate::wire::{Error, Writer};

/// A request that is being made.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) report: RequestReport,
    pub(super) task: Arc<Task>,
    /// The load profile read, once the messages of the task are done.
    pub(super) profile: Option<ProfileRead>,
    /// The image sent, if that is what the task is for.
    pub(super) image: Option<ImageSend>,
    /// Index of the message at hand.
    pub(super) message: usize,
    /// Tables of the message at hand that are read in parts, once everything else is answered.
    pub(super) parts: Option<Box<PartRead>>,
    /// SEQ_NBR of the procedures in it.
    pub(super) sequence: u8,
    /// Transmissions of the message at hand, those without a session included.
    pub(super) attempts: u32,
    /// Whether the message at hand has been sent.
    pub(super) sent: bool,
    /// What the meter answered that may be different the next time.
    pub(super) busy: Option<ResponseCode>,
    pub(super) invocation: Option<u32>,
    /// Key id and IV of the message that waits for its response.
    pub(super) authentication: Option<Authentication>,
    /// When it is sent, sent again or given up.
    pub(super) due: Instant,
    /// Responses so far.
    pub(super) exchanges: u32,
    /// Whether the rate of images has given it a time to send.
    pub(super) slotted: bool,
}

impl Active {
    /// The message at hand, unless the load profile is being read.
    pub(super) fn current(&self) -> Option<&Message> {
        self.task
            .messages
            .get(self.message)
            .filter(|_| self.profile.is_none())
    }

    /// Writes the services of the message at hand; `utc` is the time in seconds since 1970.
    pub(super) fn put(
        &self,
        meter: &Title,
        utc: u32,
        writer: &mut Writer<'_>,
    ) -> Result<(), Error> {
        match (self.current(), &self.profile, &self.image) {
            (Some(message), ..) if let Some(parts) = &self.parts => parts.put(message, writer),
            (Some(message), ..) => message
                .calls
                .iter()
                .try_for_each(|call| call.put(meter, self.sequence, utc, writer)),
            (None, Some(profile), _) => profile.put(writer),
            (None, None, Some(image)) => image.put(self.sequence, writer),
            (None, None, None) => Ok(()),
        }
    }

    /// Whether no response to the message at hand means that all went well.
    pub(super) fn content_with_silence(&self) -> bool {
        self.response_control() == ResponseControl::OnException
    }

    /// When the message at hand is to be answered.
    pub(super) fn response_control(&self) -> ResponseControl {
        match self.current() {
            Some(message) if self.parts.is_none() => message.response,
            _ => ResponseControl::Always,
        }
    }

    /// Whether parts of tables are still to be read for the message at hand.
    pub(super) fn has_parts(&self) -> bool {
        self.parts.as_ref().is_some_and(|parts| !parts.is_done())
    }

    /// How a request ends of which all attempts were in vain.
    pub(super) const fn verdict_in_vain(&self) -> RequestOutcome {
        match (self.busy, self.report.issued) {
            (Some(code), _) => RequestOutcome::Denied(code),
            (None, Some(_)) => RequestOutcome::Unanswered,
            (None, None) => RequestOutcome::Unreachable,
        }
    }

    /// What the responses to the message at hand mean for the request.
    pub(super) fn judge(
        &mut self,
        responses: &[Response<'_>],
        now: Instant,
        learnt: &mut Learnt,
    ) -> Result<Verdict, Error> {
        const COUNT: Error = Error::Malformed("service list");
        let task = Arc::clone(&self.task);
        let message = task.messages.get(self.message).ok_or(COUNT)?;
        if let Some(parts) = &mut self.parts {
            let progress = parts.take(message, responses, task.tolerant)?;
            self.report.parts += progress.parts;
            if let Some((table, octets)) = &progress.complete {
                learnt.register_wh = learnt.register_wh.or(register_wh(*table, octets));
            }
            return Ok(progress.verdict);
        }
        let services: usize = message.calls.iter().map(|call| call.services()).sum();
        if responses.len() > services || responses.is_empty() && message.expects_answers() {
            return Err(COUNT);
        }
        let mut left = responses;
        let mut judged = Vec::with_capacity(responses.len());
        for call in &message.calls {
            let Some((own, rest)) = left.split_at_checked(call.services()) else {
                break;
            };
            left = rest;
            judged.extend(own.iter().filter(|response| !is_too_large(call, response)));
            if own.iter().all(|response| response.code == ResponseCode::Ok) {
                let change = call.session_change(own, self.authentication, now)?;
                learnt.session.extend(change);
                learnt.register_wh = learnt.register_wh.or(call.register_wh(own));
            }
            if let (Some(procedure), Some(read)) = (call.procedure(), own.last())
                && own.iter().all(|response| response.code == ResponseCode::Ok)
            {
                let outcome = Outcome::parse(Blocks::new(read.data).single()?)?;
                let ours = outcome.answers(procedure, self.sequence);
                let completed =
                    matches!(outcome.result, ResultCode::Completed | ResultCode::Accepted);
                if !ours || !completed {
                    self.report.refused += 1;
                    if !task.tolerant {
                        return Ok(Verdict::Ended(if ours {
                            RequestOutcome::Failed(outcome.result)
                        } else {
                            RequestOutcome::Unintelligible
                        }));
                    }
                }
            }
        }
        judged.extend(left);
        let verdict = refusal(&judged, task.tolerant, &mut self.report);
        if matches!(verdict, Verdict::Done) && judged.len() < responses.len() {
            self.parts = PartRead::begin(message, responses).map(Box::new);
        }
        Ok(verdict)
    }
}

/// What a response means for its request.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The message is done.
    Done,
    /// The meter may do it the next time.
    Again(ResponseCode),
    /// The request is over.
    Ended(RequestOutcome),
}

/// What refused services mean; counts them.
pub(super) fn refusal(
    responses: &[Response<'_>],
    tolerant: bool,
    report: &mut RequestReport,
) -> Verdict {
    let refused = responses
        .iter()
        .filter(|response| response.code != ResponseCode::Ok);
    let Some(first) = refused.clone().next() else {
        return Verdict::Done;
    };
    if matches!(
        first.code,
        ResponseCode::Bsy | ResponseCode::Dnr | ResponseCode::Dlk
    ) {
        return Verdict::Again(first.code);
    }
    report.refused += refused.count() as u32;
    if tolerant {
        Verdict::Done
    } else {
        Verdict::Ended(RequestOutcome::Denied(first.code))
    }
}
