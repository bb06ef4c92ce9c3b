//! `malformed.json`, section `pana`: datagrams injected into recorded sessions.
//!
//! Both ends are brought to the stage that the case names; the receiver takes the datagram and
//! must react as told. After a discard, and after a repeated answer, the recorded session must go
//! on to its end as if nothing had happened.

use firmware::crypto::Work;
use firmware::pana::{Flags, Message, Reject};
use serde_json::Value;

use super::json::{self, equal_octets};
use super::pana_record::{Role, Session};
use super::pana_replay::Replay;
use super::report::Report;

/// The sessions of this repository, for a vector file that stands alone.
const SESSIONS: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/vectors/pana-sessions.json"
));

pub(super) fn run(document: &Value, report: &mut Report) -> Option<()> {
    let cases = document.get("pana")?.as_array()?;
    cases.first()?.get("session")?;
    let sessions = report
        .sibling(|document| {
            let sessions = document.get("sessions")?.as_array()?;
            sessions.first()?.get("pana_keys")?;
            Some(document.clone())
        })
        .or_else(|| serde_json::from_str(SESSIONS).ok());
    for case in cases {
        let id = case.get("id").and_then(Value::as_str);
        report.case(id.unwrap_or("unnamed"), || check(case, sessions.as_ref()));
    }
    Some(())
}

fn check(case: &Value, sessions: Option<&Value>) -> Result<(), String> {
    json::only(
        case,
        &[
            "id", "session", "after_n", "to", "hex", "reaction", "basis", "level", "why", "note",
        ],
    )?;
    let name = json::text(case, "session")?;
    let recorded = sessions
        .and_then(|document| document.get("sessions")?.as_array())
        .into_iter()
        .flatten()
        .find(|session| session.get("name").and_then(Value::as_str) == Some(name))
        .ok_or_else(|| format!("session: there is no {name}"))?;
    let session = Session::parse(recorded)?;
    let stage = usize::try_from(json::number(case, "after_n")?).map_err(|e| e.to_string())?;
    if stage > session.datagrams.len() {
        return Err("after_n: beyond the session".into());
    }
    let role = match json::text(case, "to")? {
        "PaC" => Role::Pac,
        "PAA" => Role::Paa,
        "PRE" => Role::Pre,
        other => return Err(format!("to: unknown receiver {other}")),
    };
    let level = json::text(case, "level")?;
    let reaction = json::text(case, "reaction")?;
    let defined = reaction != "implementation-defined";
    if !["MUST", "INFERRED", "UNCERTAIN"].contains(&level) || defined == (level == "UNCERTAIN") {
        return Err(format!("level: {level} does not fit {reaction}"));
    }
    let injected = json::octets(case, "hex")?;

    let stage = Stage {
        session: &session,
        reached: stage,
        role,
    };
    stage.inject(case, reaction, &injected)
}

/// A session as far as a case needs it.
struct Stage<'a> {
    session: &'a Session<'a>,
    /// Datagrams that have been exchanged.
    reached: usize,
    /// Who receives the injected datagram.
    role: Role,
}

impl Stage<'_> {
    fn inject(&self, case: &Value, reaction: &str, injected: &[u8]) -> Result<(), String> {
        let role = self.role;
        let mut replay = Replay::new(self.session)?;
        for index in 0..self.reached {
            replay.step(index)?;
        }
        let before = (replay.state(role), replay.queue_lens());
        let verdict = replay.deliver(role, source(self.session, role)?, injected);
        let after = (replay.state(role), replay.queue_lens());
        let opened = !before.0.0 && after.0.0;
        if opened {
            return Err("access was opened".into());
        }
        match reaction {
            // RFC 3748 §4.2 makes the PaC discard the failure: it waits for the authentic PAR[C].
            "discard" | "session-policy" => {
                if verdict.is_ok() || before != after {
                    return Err(format!("reacted with {verdict:?}"));
                }
                check_cause(json::text(case, "id")?, verdict)?;
                self.proceed(replay)
            }
            "resend-cached-answer" => {
                verdict.map_err(|reject| reject.name().to_owned())?;
                let last = self.session.datagrams[..self.reached]
                    .iter()
                    .rfind(|datagram| datagram.from == role)
                    .ok_or("the receiver has not sent anything")?;
                let resent = replay.take_last(role).ok_or("nothing was sent again")?;
                equal_octets("answer", &resent, &last.octets)?;
                if (replay.state(role), replay.queue_lens()) != before {
                    return Err("a repetition changed the state".into());
                }
                self.proceed(replay)
            }
            "answer" => {
                verdict.map_err(|reject| reject.name().to_owned())?;
                let answer = replay.take_last(role).ok_or("there was no answer")?;
                check_answer(&replay, role, injected, &answer)
            }
            "implementation-defined" => Ok(()),
            other => Err(format!("reaction: unknown reaction {other}")),
        }
    }

    /// The rest of the recorded session.
    fn proceed(&self, mut replay: Replay<'_>) -> Result<(), String> {
        for index in self.reached..self.session.datagrams.len() {
            replay
                .step(index)
                .map_err(|why| format!("afterwards {why}"))?;
        }
        Ok(())
    }
}

/// The cause for which each known case has to be discarded, so that none passes for another fault.
const CAUSES: &[(&str, &[&str])] = &[
    ("header_truncated", &["H01", "H12", "R06"]),
    ("length_mismatch", &["H02", "H03", "H04", "A03"]),
    ("message_type_unknown", &["H07a", "H07b", "H07c"]),
    ("session_unknown", &["H08", "T16"]),
    (
        "flags_invalid",
        &["H09", "F01", "F02", "F03", "F04", "F05", "R08"],
    ),
    ("identifier_not_zero", &["H10", "H11", "R01", "R02"]),
    ("avp_truncated", &["A01", "A02"]),
    ("avp_unknown", &["A09"]),
    ("avp_repeated", &["A10", "A11", "T09"]),
    ("avp_malformed", &["A12", "A13", "A14", "R04"]),
    ("avp_misplaced", &["A15", "A16", "A21"]),
    ("auth_invalid", &["A17", "A18", "A32", "S07"]),
    ("auth_missing", &["A19", "A30", "A31"]),
    ("auth_unexpected", &["A20"]),
    ("avp_missing", &["A22", "T10", "R03", "R05"]),
    ("avp_forbidden", &["A24", "A25"]),
    ("lifetime_missing", &["A27"]),
    ("key_id_missing", &["A28"]),
    ("key_id_mismatch", &["A29"]),
    ("failure_after_success", &["A33"]),
    ("sequence_unexpected", &["S02", "S03", "S04", "S05", "S06"]),
    (
        "message_unexpected",
        &["T01", "T02", "T03", "T04", "T06", "T07", "T15"],
    ),
    ("result_contradictory", &["T05"]),
    ("algorithm_not_offered", &["T08"]),
    ("algorithm_unacceptable", &["T11"]),
    ("nonce_missing", &["T12", "T13"]),
    ("nonce_unexpected", &["T14"]),
    ("relay_nested", &["R07", "R09"]),
];

fn check_cause(id: &str, verdict: Result<(), Reject>) -> Result<(), String> {
    let found = verdict.err().map_or("none", Reject::name);
    let expected = CAUSES.iter().find(|(_, ids)| ids.contains(&id));
    match expected {
        Some((cause, _)) if *cause != found => {
            Err(format!("discarded for {found}, not for {cause}"))
        }
        _ => Ok(()),
    }
}

/// Where a datagram for `role` comes from: the peer that the receiver knows.
fn source(session: &Session<'_>, role: Role) -> Result<core::net::SocketAddr, String> {
    session
        .datagrams
        .iter()
        .find(|datagram| datagram.to == role)
        .map(|datagram| datagram.source)
        .ok_or_else(|| "nothing is sent to the receiver".into())
}

/// A normal answer to the injected request.
fn check_answer(
    replay: &Replay<'_>,
    role: Role,
    request: &[u8],
    answer: &[u8],
) -> Result<(), String> {
    let parse = |octets| Message::parse(octets).map_err(|reject| reject.name().to_owned());
    // An answer that is followed by a request of the same end was sent before it.
    let (request, answer) = (parse(request)?, parse(answer)?);
    let expected = request.header.flags.without(Flags::REQUEST);
    let (asked, answered) = (request.header, answer.header);
    if answered.is_request() {
        // Without piggybacking the PaC sends its EAP response in a PAR after the PAN.
        return if answer.eap.is_some() && replay.queue_lens()[0] > 0 {
            Ok(())
        } else {
            Err("not an answer".into())
        };
    }
    if (answered.kind, answered.flags, answered.sequence) != (asked.kind, expected, asked.sequence)
    {
        return Err("the answer does not match the request".into());
    }
    let association = match role {
        Role::Pac => replay.pac.association(),
        _ => replay
            .paa_session()
            .and_then(|session| session.association()),
    };
    match association {
        Some(association) => answer
            .verify(association.auth(), &mut Work::default())
            .map_err(|reject| reject.name().into()),
        None => Ok(()),
    }
}
