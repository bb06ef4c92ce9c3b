//! Orders to groups: obeyed once, in time and by members alone; nothing else under a group key.

use alloc::vec;

use super::orders::order;
use super::*;
use crate::c1219::switch::{Limit, SwitchAction, SwitchCommand};
use crate::c1222::Reject as C1222Reject;
use crate::c1222::acse::{Authentication, Header};
use crate::c1222::apdu::{self, Apdu, Protection};
use crate::c1222::epsem::{Control, ResponseControl, put_service};
use crate::c1222::service::{Read, Request, Selector, TableId};
use crate::crypto::eax_prime::EaxPrimeKey;
use crate::headend::{
    CommandOutcome, CommandReport, GroupPolicy, Persistence, SwitchOrder, seal_group_order,
};
use crate::ukmf::group::{self, GroupKey};
use crate::ukmf::{EndReason, KeyReject, Replay};
use crate::wire::Writer;

const KEY_ID: u8 = 0xF3;
const FALLBACK: Duration = Duration::from_secs(60);
const LIMIT: Limit = Limit {
    event_id: 7,
    level_percent: 50,
    duration_min: 30,
    start: None,
};

fn policy() -> GroupPolicy {
    GroupPolicy {
        key_id: KEY_ID,
        lifetime: Duration::from_secs(86_400),
        renew: Duration::from_secs(43_200),
        renew_on_leave: true,
        freshness_s: 120,
        confirm_spacing: Duration::from_secs(4),
        password: headend::CommandPolicy::default().password,
        persistence: Persistence {
            attempts: 3,
            timeout: Duration::from_secs(10),
            pause: Duration::from_secs(20),
            factor: 3,
            deadline: Duration::from_secs(3_600),
        },
        plan: 9,
    }
}

fn limit() -> SwitchOrder {
    SwitchOrder {
        limit: LIMIT,
        ..order(SwitchAction::Limit)
    }
}

const COMMAND: SwitchCommand = SwitchCommand {
    action: SwitchAction::Limit,
    window_s: 0,
    limit: LIMIT,
};

impl Pair {
    /// A meter with a session that has, or is about to get, the key of its group.
    fn member() -> Self {
        let mut pair = Self::new([7; 16]);
        let mut work = Work::default();
        let mut env = Env::new(Instant::ZERO, &mut pair.rng, &mut work);
        pair.headend.found_group(policy(), vec![0], UTC, &mut env);
        pair.meter(|meter, utc, env| meter.power_on(utc, env));
        pair.exchange();
        pair.after(Duration::from_secs(1));
        pair
    }

    fn utc(&self) -> u32 {
        UTC + self.now.as_secs() as u32
    }

    fn key(&self) -> GroupKey {
        self.meter.group_memory().next().expect("a member").clone()
    }

    /// Orders and returns the one message to all members.
    fn order_group(&mut self, order: SwitchOrder) -> Vec<u8> {
        let utc = self.utc();
        let mut work = Work::default();
        let mut env = Env::new(self.now, &mut self.rng, &mut work);
        self.headend
            .order_group(KEY_ID, order, FALLBACK, utc, &mut env);
        let sent = self.headend.poll_group().expect("one message");
        assert_eq!((sent.key_id, &sent.members[..]), (KEY_ID, &[0][..]));
        assert!(self.headend.poll_group().is_none());
        sent.octets
    }

    fn receive(&mut self, octets: &[u8]) -> Result<(), C1222Reject> {
        let mut octets = octets.to_vec();
        let mut result = Ok(());
        self.meter(|meter, utc, env| {
            result = meter.handle_datagram(Channel::C1222, &mut octets, utc, env);
        });
        result.map_err(|reject| match reject {
            Reject::C1222(reject) => reject,
            other => panic!("{other:?}"),
        })
    }

    fn group_reports(&self) -> Vec<CommandReport> {
        let report = |event: &HeadendEvent| match event {
            HeadendEvent::Command(report) => Some(*report),
            _ => None,
        };
        self.headend_events.iter().filter_map(report).collect()
    }

    fn ended_group_keys(&self) -> (Vec<EndReason>, Vec<EndReason>) {
        let of_group = |summary: &crate::ukmf::KeySummary| {
            (summary.purpose == crate::ukmf::Purpose::Group).then_some(summary.reason)?
        };
        let meter = self.meter_events.iter().filter_map(|event| match event {
            MeterEvent::KeyEnded(summary) => of_group(summary),
            _ => None,
        });
        let headend = self.headend_events.iter().filter_map(|event| match event {
            HeadendEvent::KeyEnded(summary) => of_group(summary),
            _ => None,
        });
        (meter.collect(), headend.collect())
    }

    fn forged(&self, key: &GroupKey, invocation: u32, utc: u32) -> Vec<u8> {
        let calling = Title::relative(&[2, 1]).unwrap();
        let work = &mut Work::default();
        seal_group_order(key, calling.get(), (200, invocation), COMMAND, utc, work).unwrap()
    }
}

#[test]
fn a_member_obeys_one_message_and_confirms_it_under_its_own_key() {
    let mut pair = Pair::member();
    let octets = pair.order_group(limit());
    let parsed = Apdu::parse(&octets).unwrap();
    assert_eq!(parsed.control().response(), ResponseControl::Never);
    let called = parsed.header().called.unwrap();
    assert_eq!(called.content(), [0, 0x81, 0x73], "group 0xF3");
    pair.receive(&octets).unwrap();
    assert_eq!(pair.meter.poll_transmit(&mut [0; 600]), None, "one way");
    let sent_before = pair.log.len();
    pair.after(Duration::from_secs(5));
    assert_eq!(pair.steps().last(), Some(&SwitchStep::Limited(LIMIT)));
    let [(true, Channel::C1222, confirmation)] = &pair.log[sent_before..] else {
        panic!("one message up, none down")
    };
    let confirmation = Apdu::parse(confirmation).unwrap();
    let key_id = confirmation.header().authentication.unwrap().key_id();
    assert!((0x10..0xF0).contains(&key_id), "its own key");
    let [report] = pair.group_reports()[..] else {
        panic!("one order has ended")
    };
    assert_eq!(report.outcome, CommandOutcome::Confirmed);
    assert_eq!((report.sequence, report.transmissions), (255, 0));
    assert!(report.responded.unwrap() <= pair.now);
    pair.after(FALLBACK);
    assert_eq!(pair.group_reports().len(), 1, "nothing is ordered twice");
}

#[test]
fn whoever_is_not_heard_of_is_told_alone() {
    let mut pair = Pair::member();
    pair.order_group(limit());
    pair.after(Duration::from_secs(59));
    assert!(pair.group_reports().is_empty());
    pair.after(Duration::from_secs(5));
    let [report] = pair.group_reports()[..] else {
        panic!("the order by unicast")
    };
    assert_eq!(report.outcome, CommandOutcome::Confirmed);
    let trace = report.group.expect("the message that was lost");
    assert_eq!((trace.sequence, report.sequence), (255, 1));
    assert_eq!(report.ordered, trace.sent);
    assert_eq!(pair.steps().last(), Some(&SwitchStep::Limited(LIMIT)));
}

#[test]
fn a_message_is_taken_once_in_time_and_unaltered() {
    let mut pair = Pair::member();
    let octets = pair.order_group(limit());
    let mut altered = octets.clone();
    *altered.last_mut().unwrap() ^= 1;
    assert_eq!(pair.receive(&altered), Err(C1222Reject::BadMac));
    pair.receive(&octets).unwrap();
    let replay = C1222Reject::Replay(Replay::Duplicate);
    assert_eq!(pair.receive(&octets), Err(replay));
    let late = pair.order_group(limit());
    pair.after(Duration::from_secs(121));
    assert_eq!(pair.receive(&late), Err(C1222Reject::AcceptanceWindow));
}

#[test]
fn a_group_key_is_good_for_one_encrypted_one_way_order_and_nothing_else() {
    let mut pair = Pair::member();
    let (key, utc) = (pair.key(), pair.utc());
    let open = SwitchCommand::of(SwitchAction::Open, 0);
    let calling = Title::relative(&[2, 1]).unwrap();
    let own = Title::relative(&[1, 1]).unwrap();
    let group = group::title(KEY_ID);
    let mut work = Work::default();
    let sealed = seal_group_order(&key, calling.get(), (9, 50), open, utc, &mut work).unwrap();
    let refused = Err(C1222Reject::GroupService);
    assert_eq!(pair.receive(&sealed), refused, "a switch");
    let stranger = Title::relative(&[1, 9]).unwrap();
    let sealed = seal_group_order(&key, stranger.get(), (9, 51), COMMAND, utc, &mut work).unwrap();
    let refused = Err(C1222Reject::CallingTitle);
    assert_eq!(pair.receive(&sealed), refused, "not its head-end");

    let mut invocation = 60;
    let mut sealed = |called: Title, mode: Mode, response: ResponseControl| {
        invocation += 1;
        let authentication = Authentication {
            key_id: Some(KEY_ID),
            iv: utc.to_be_bytes(),
        };
        let header = Header {
            called: Some(called.get()),
            calling: Some(calling.get()),
            invocation,
            authentication: Some(authentication),
            ..Header::default()
        };
        let expanded = EaxPrimeKey::new(key.key.expose(), &mut Work::default());
        let protection = Protection {
            key: &expanded,
            session: authentication,
        };
        let read = Request::Read(Read {
            table: TableId::standard(1),
            selector: Selector::Full,
        });
        let put = |writer: &mut Writer<'_>| put_service(writer, |writer| read.emit(writer));
        let control = Control::new(mode, response);
        let mut out = vec![0; 200];
        let work = &mut Work::default();
        let len = apdu::build(
            &header,
            control,
            None,
            Some(protection),
            &mut out,
            put,
            work,
        );
        out.truncate(len.unwrap());
        out
    };
    let (encrypted, never) = (Mode::Encrypted, ResponseControl::Never);
    for (message, reject) in [
        (sealed(group, encrypted, never), C1222Reject::GroupService),
        (
            sealed(group, encrypted, ResponseControl::Always),
            C1222Reject::GroupResponse,
        ),
        (
            sealed(group, Mode::Authenticated, never),
            C1222Reject::SecurityMode,
        ),
        (sealed(own, encrypted, never), C1222Reject::CalledTitle),
    ] {
        assert_eq!(pair.receive(&message), Err(reject));
    }
    assert!(pair.steps().is_empty(), "nothing has come of any of it");
}

#[test]
fn the_key_ends_with_its_time_with_power_and_with_the_next_one() {
    let mut pair = Pair::member();
    let stolen = pair.key();
    let forged = pair.forged(&stolen, 40, pair.utc());
    pair.receive(&forged)
        .expect("whoever has the key is obeyed");
    // Half a day later the head-end renews it: the old key commands nobody any more.
    pair.after(Duration::from_secs(43_205));
    let renewed = pair.key();
    assert_eq!((stolen.generation, renewed.generation), (1, 2));
    let forged = pair.forged(&stolen, 41, pair.utc());
    assert_eq!(pair.receive(&forged), Err(C1222Reject::BadMac));
    let (meter, headend) = pair.ended_group_keys();
    assert_eq!(meter, [EndReason::Superseded]);
    assert_eq!(headend, [EndReason::Superseded]);
    pair.meter(|meter, utc, env| meter.power_off(utc, env));
    assert!(pair.meter.group_memory().next().is_none(), "volatile");
}

#[test]
fn a_member_that_leaves_takes_a_key_along_that_is_worth_nothing() {
    let mut pair = Pair::member();
    let utc = pair.utc();
    let mut work = Work::default();
    let mut env = Env::new(pair.now, &mut pair.rng, &mut work);
    pair.headend.expel(KEY_ID, &[0], utc, &mut env);
    pair.exchange();
    assert_eq!(pair.ended_group_keys().1, [EndReason::Revoked]);
    // Nobody tells it: it has its key until that ends, and then refuses whatever is under it.
    let last = Duration::from_secs(u64::from(pair.key().expires_utc - utc));
    pair.after(last);
    assert_eq!(pair.ended_group_keys().0, [EndReason::Expired]);
    let forged = {
        let mut key = GroupKey {
            key_id: KEY_ID,
            generation: 1,
            expires_utc: 0,
            first_invocation: 0,
            freshness_s: 0,
            confirm_within_ms: 0,
            key: crate::crypto::Secret::default(),
        };
        key.freshness_s = 1;
        pair.forged(&key, 99, pair.utc())
    };
    let unknown = C1222Reject::Key(KeyReject::Unknown);
    assert_eq!(pair.receive(&forged), Err(unknown));
}

#[test]
fn a_meter_that_comes_late_refuses_what_was_sent_before_it_came() {
    let mut pair = Pair::member();
    let early = pair.order_group(limit());
    let mut key = pair.key();
    // It has lost its window of invocation ids with its power, and is handed the key anew.
    key.first_invocation = 1;
    let mut data = [0; GroupKey::LEN];
    key.emit(&mut Writer::new(&mut data)).unwrap();
    assert_eq!(GroupKey::parse(&data).unwrap(), key);
    assert!(GroupKey::parse(&data[1..]).is_err());
    let request = headend::Task {
        class: headend::Class::Configuration,
        messages: vec![headend::Message::new(vec![
            headend::Call::Security(policy().password),
            headend::Call::GroupKey(Arc::new(key)),
        ])],
        profile: None,
        image: None,
        tolerant: false,
        persistence: policy().persistence,
    };
    let due = headend::RequestOrder {
        rank: 0,
        plan: 1,
        due: pair.now,
    };
    pair.headend.request(due, &Arc::new(request));
    pair.after(Duration::from_secs(1));
    let too_old = C1222Reject::Replay(Replay::TooOld);
    assert_eq!(pair.receive(&early), Err(too_old));
}
