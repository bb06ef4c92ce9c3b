//! Groups of an instance: their keys, orders to all members at once, and what follows for each.
//!
//! ```text
//!                 +--> MT1 under the member's own key --answered--> holds the key
//!  key, generation|        ^ first authentication, renewal, no word from it
//!
//!  order --> one message under the group key --> all members
//!              |                                   | confirmed under the member's own key: done
//!              +-- `fallback_after` later, or at once for who has no key --> order to it alone
//! ```
//!
//! The key is renewed on a schedule, when a member leaves and when the instance has lost its state.
//! A renewal does not wait for members: who has no new key yet is told alone.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::commands::{CommandOutcome, CommandReport, GroupTrace, SwitchOrder};
use super::image::{Alarm, Headend, HeadendEvent};
use super::request::{RequestOrder, RequestReport};
use super::task::{Call, Class, Message, Persistence, Task};
use crate::Env;
use crate::c1219::procedure::ResultCode;
use crate::c1219::switch::SwitchCommand;
use crate::c1222::ApTitle;
use crate::c1222::acse::{Authentication, Header, Qualifier};
use crate::c1222::apdu::{self, Protection};
use crate::c1222::epsem::{Control, Mode, ResponseControl};
use crate::c1222::service::Password;
use crate::crypto::eax_prime::EaxPrimeKey;
use crate::crypto::{Secret, Work};
use crate::meter::{DEVICE_CLASS, put_group_order};
use crate::time::{Duration, Instant, earlier};
use crate::ukmf::group::{self, Confirmation, GroupKey};
use crate::ukmf::{EndReason, KeySummary};
use crate::wire::{Error, Writer};

/// Octets of an order with its protection.
const ORDER_MAX: usize = 160;

/// The rules of a group.
#[derive(Clone, Debug)]
pub struct GroupPolicy {
    /// C12.22 key id, F0 to FF.
    pub key_id: u8,
    /// How long a key is valid.
    pub lifetime: Duration,
    /// After which time it is renewed.
    pub renew: Duration,
    /// Whether it is renewed when a member leaves.
    pub renew_on_leave: bool,
    /// How old an order may be, in seconds.
    pub freshness_s: u16,
    /// Confirmations spread over this time for each member.
    pub confirm_spacing: Duration,
    /// The password that lets the head-end hand out the key.
    pub password: Password,
    /// How persistently a member is given the key.
    pub persistence: Persistence,
    /// What requests that hand out the key belong to: a number of the host.
    pub plan: u32,
}

/// A message to a group, which the network hands to all members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupTransmit {
    /// C12.22 key id of the group.
    pub key_id: u8,
    /// The datagram.
    pub octets: Vec<u8>,
    /// Ranks of the members.
    pub members: Vec<u32>,
}

#[derive(Debug, Default)]
struct Member {
    /// The generation that it has been asked to take.
    asked: Option<u32>,
    /// The key that it has confirmed.
    holds: Option<KeySummary>,
}

/// An order that members have not all answered.
#[derive(Debug)]
struct Round {
    order: SwitchOrder,
    trace: GroupTrace,
    generation: u32,
    waiting: BTreeSet<u32>,
    fallback_at: Instant,
}

/// One group.
#[derive(Debug)]
pub(super) struct Group {
    policy: GroupPolicy,
    key: Arc<GroupKey>,
    expires: Instant,
    renew_at: Instant,
    /// Invocation id of the next order under the key.
    invocation: u32,
    /// SEQ_NBR of the latest order: down from 255, where those of single meters count up from 1.
    sequence: u8,
    members: BTreeMap<u32, Member>,
    round: Option<Round>,
}

/// What is to be done for single members.
#[derive(Debug, Default)]
struct Chores {
    requests: Vec<(RequestOrder, Arc<Task>)>,
    ended: Vec<(u32, KeySummary)>,
}

impl Group {
    fn new(policy: GroupPolicy, members: Vec<u32>, utc: u32, env: &mut Env<'_>) -> Self {
        let key = draw_key(&policy, 1, members.len(), utc, env);
        Self {
            key: Arc::new(key),
            expires: env.now + policy.lifetime,
            renew_at: env.now + policy.renew,
            invocation: 0,
            sequence: 0,
            members: members
                .into_iter()
                .map(|rank| (rank, Member::default()))
                .collect(),
            round: None,
            policy,
        }
    }

    /// Draws the next key; whoever held the one before is handed the new one.
    fn renew(&mut self, reason: EndReason, utc: u32, env: &mut Env<'_>, chores: &mut Chores) {
        let generation = self.key.generation.saturating_add(1);
        let key = draw_key(&self.policy, generation, self.members.len(), utc, env);
        self.key = Arc::new(key);
        self.expires = env.now + self.policy.lifetime;
        self.renew_at = env.now + self.policy.renew;
        self.invocation = 0;
        let holders: Vec<u32> = self.members.keys().copied().collect();
        for rank in holders {
            let held = self.take_key(rank, reason, env.now, chores);
            if held {
                self.hand_out(rank, env.now, chores);
            }
        }
    }

    /// Takes note that a member has no key any more; tells whether it had one or was asked to.
    fn take_key(
        &mut self,
        rank: u32,
        reason: EndReason,
        now: Instant,
        chores: &mut Chores,
    ) -> bool {
        let Some(member) = self.members.get_mut(&rank) else {
            return false;
        };
        let known = member.asked.take().is_some() || member.holds.is_some();
        if let Some(held) = member.holds.take() {
            let summary = KeySummary {
                ended: Some(now),
                reason: Some(reason),
                ..held
            };
            chores.ended.push((rank, summary));
        }
        known
    }

    fn hand_out(&mut self, rank: u32, now: Instant, chores: &mut Chores) {
        let Some(member) = self.members.get_mut(&rank) else {
            return;
        };
        member.asked = Some(self.key.generation);
        let key = GroupKey {
            first_invocation: self.invocation,
            ..GroupKey::clone(&self.key)
        };
        let calls = vec![
            Call::Security(self.policy.password),
            Call::GroupKey(Arc::new(key)),
        ];
        let task = Task {
            class: Class::Configuration,
            messages: vec![Message::new(calls)],
            profile: None,
            image: None,
            tolerant: false,
            persistence: self.policy.persistence,
        };
        let order = RequestOrder {
            rank,
            plan: self.policy.plan,
            due: now,
        };
        chores.requests.push((order, Arc::new(task)));
    }

    fn next_deadline(&self) -> Option<Instant> {
        let fallback = self.round.as_ref().map(|round| round.fallback_at);
        earlier(Some(self.renew_at.min(self.expires)), fallback)
    }
}

/// Seals an order to a group, as its head-end does and as whoever has its key can.
///
/// # Errors
///
/// The order cannot be encoded.
pub fn seal_group_order(
    key: &GroupKey,
    calling: ApTitle<'_>,
    (sequence, invocation): (u8, u32),
    command: SwitchCommand,
    utc: u32,
    work: &mut Work,
) -> Result<Vec<u8>, Error> {
    let called = group::title(key.key_id);
    let authentication = Authentication {
        key_id: Some(key.key_id),
        iv: utc.to_be_bytes(),
    };
    let header = Header {
        called: Some(called.get()),
        calling: Some(calling),
        qualifier: Some(Qualifier::NOTIFICATION),
        invocation,
        authentication: Some(authentication),
        ..Header::default()
    };
    let expanded = EaxPrimeKey::new(key.key.expose(), work);
    let protection = Protection {
        key: &expanded,
        session: authentication,
    };
    let control = Control::new(Mode::Encrypted, ResponseControl::Never);
    let put = |writer: &mut Writer<'_>| put_group_order(command, sequence, writer);
    let mut octets = vec![0; ORDER_MAX];
    let (class, out) = (Some(DEVICE_CLASS), &mut octets[..]);
    let len = apdu::build(&header, control, class, Some(protection), out, put, work)?;
    octets.truncate(len);
    Ok(octets)
}

fn draw_key(
    policy: &GroupPolicy,
    generation: u32,
    members: usize,
    utc: u32,
    env: &mut Env<'_>,
) -> GroupKey {
    let lifetime_s = u32::try_from(policy.lifetime.as_secs()).unwrap_or(u32::MAX);
    let spacing_ms = policy.confirm_spacing.as_nanos() / 1_000_000;
    let within_ms = spacing_ms.saturating_mul(members as u64);
    GroupKey {
        key_id: policy.key_id,
        generation,
        expires_utc: utc.saturating_add(lifetime_s),
        first_invocation: 0,
        freshness_s: policy.freshness_s,
        confirm_within_ms: u32::try_from(within_ms).unwrap_or(u32::MAX),
        key: Secret::new(env.random()),
    }
}

/// All groups of an instance, and their messages on the way out.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: Vec<Group>,
    outbox: VecDeque<GroupTransmit>,
    ended: Vec<CommandReport>,
}

impl Groups {
    /// Whether a request that has ended has handed out a key, and what has become of that.
    pub(super) fn take_handed(&mut self, report: &RequestReport) {
        let rank = report.order.rank;
        let handed = |group: &&mut Group| group.policy.plan == report.order.plan;
        let mut members = self.groups.iter_mut().filter(handed);
        let Some(group) = members.find(|group| group.members.contains_key(&rank)) else {
            return;
        };
        let generation = group.key.generation;
        let Some(member) = group.members.get_mut(&rank) else {
            return;
        };
        if !report.outcome.is_success() {
            member.asked = None;
        } else if member.asked == Some(generation) && member.holds.is_none() {
            member.holds = Some(group.key.summary(report.ended));
        }
    }
}

impl Headend {
    /// Founds a group of meters, which get its key with their next authentication.
    pub fn found_group(
        &mut self,
        policy: GroupPolicy,
        members: Vec<u32>,
        utc: u32,
        env: &mut Env<'_>,
    ) {
        let groups = self.groups.get_or_insert_default();
        groups.groups.push(Group::new(policy, members, utc, env));
        self.touched.push(Alarm::Commands);
    }

    /// Gives an order to all members of a group at once, and to those alone of which nothing is
    /// heard for `fallback_after`. The rank in `order` says nothing.
    pub fn order_group(
        &mut self,
        key_id: u8,
        order: SwitchOrder,
        fallback_after: Duration,
        utc: u32,
        env: &mut Env<'_>,
    ) {
        let calling = self.config.title;
        let now = env.now;
        let Some(groups) = self.groups.as_deref_mut() else {
            return;
        };
        let Some(group) = find(&mut groups.groups, key_id) else {
            return;
        };
        if let Some(round) = group.round.take() {
            groups.ended.extend(round.superseded(now));
        }
        group.sequence = group.sequence.wrapping_sub(1).max(1);
        let members: Vec<u32> = group.members.keys().copied().collect();
        let trace = GroupTrace {
            sequence: group.sequence,
            sent: now,
        };
        let command = SwitchCommand {
            action: order.action,
            window_s: order.window_s,
            limit: order.limit,
        };
        let numbers = (group.sequence, group.invocation);
        let calling = calling.get();
        let sealed = seal_group_order(&group.key, calling, numbers, command, utc, env.work).ok();
        let mut round = Round {
            order,
            trace,
            generation: group.key.generation,
            waiting: BTreeSet::new(),
            fallback_at: now + fallback_after,
        };
        let mut alone = Vec::new();
        for (&rank, member) in &mut group.members {
            match (&sealed, &mut member.holds) {
                (Some(octets), Some(held)) => {
                    held.tx.record(octets.len(), now);
                    round.waiting.insert(rank);
                }
                _ => alone.push(rank),
            }
        }
        if let Some(octets) = sealed {
            group.invocation = group.invocation.saturating_add(1);
            groups.outbox.push_back(GroupTransmit {
                key_id,
                octets,
                members,
            });
        }
        group.round = Some(round);
        let desk = self.commands.get_or_insert_default();
        for rank in alone {
            let order = SwitchOrder { rank, ..order };
            desk.commands.order_after(order, trace, now);
        }
        self.settle_groups();
    }

    /// A meter is no member of a group any more.
    pub fn expel(&mut self, key_id: u8, ranks: &[u32], utc: u32, env: &mut Env<'_>) {
        let mut chores = Chores::default();
        let groups = self.groups.as_deref_mut();
        let Some(group) = groups.and_then(|groups| find(&mut groups.groups, key_id)) else {
            return;
        };
        let mut left = false;
        for &rank in ranks {
            group.take_key(rank, EndReason::Revoked, env.now, &mut chores);
            left |= group.members.remove(&rank).is_some();
        }
        if left && group.policy.renew_on_leave {
            group.renew(EndReason::Superseded, utc, env, &mut chores);
        }
        self.do_chores(chores);
    }

    /// The next message to a group.
    pub fn poll_group(&mut self) -> Option<GroupTransmit> {
        self.groups.as_mut()?.outbox.pop_front()
    }

    /// Renews keys, and orders alone what nobody has confirmed; the time of this is that of
    /// [`Alarm::Commands`].
    pub fn handle_groups(&mut self, utc: u32, env: &mut Env<'_>) {
        let Some(groups) = self.groups.as_deref_mut() else {
            return;
        };
        let now = env.now;
        let mut chores = Chores::default();
        let mut alone = Vec::new();
        for group in &mut groups.groups {
            if let Some(round) = group.round.take_if(|round| round.fallback_at <= now) {
                for &rank in &round.waiting {
                    // Perhaps it has lost the key: it is given it again with its next
                    // authentication.
                    if let Some(member) = group.members.get_mut(&rank) {
                        member.asked = None;
                    }
                    alone.push((
                        SwitchOrder {
                            rank,
                            ..round.order
                        },
                        round.trace,
                    ));
                }
            }
            if group.renew_at.min(group.expires) <= now {
                group.renew(EndReason::Superseded, utc, env, &mut chores);
            }
        }
        let desk = self.commands.get_or_insert_default();
        for (order, trace) in alone {
            desk.commands.order_after(order, trace, now);
        }
        self.do_chores(chores);
    }

    /// When [`Headend::handle_groups`] has something to do.
    pub(super) fn groups_deadline(&self) -> Option<Instant> {
        let groups = self.groups.as_ref()?.groups.iter();
        groups.filter_map(Group::next_deadline).min()
    }

    /// A meter has authenticated itself: it needs the keys that it does not have.
    pub(super) fn welcome(&mut self, rank: u32, afresh: bool, now: Instant) {
        let Some(groups) = self.groups.as_deref_mut() else {
            return;
        };
        let mut chores = Chores::default();
        for group in &mut groups.groups {
            if afresh {
                group.take_key(rank, EndReason::Reboot, now, &mut chores);
            }
            let generation = group.key.generation;
            let member = group.members.get(&rank);
            if member.is_some_and(|member| member.asked != Some(generation)) {
                group.hand_out(rank, now, &mut chores);
            }
        }
        self.do_chores(chores);
    }

    /// The session of a meter is over, and with it what it holds.
    pub(super) fn part(&mut self, rank: u32, reason: EndReason, now: Instant) {
        let Some(groups) = self.groups.as_deref_mut() else {
            return;
        };
        let mut chores = Chores::default();
        for group in &mut groups.groups {
            group.take_key(rank, reason, now, &mut chores);
        }
        self.do_chores(chores);
    }

    /// A member says what it has made of an order to its group.
    pub(super) fn confirm(&mut self, rank: u32, data: &[u8], now: Instant) -> Result<(), Error> {
        let confirmation = Confirmation::parse(data)?;
        let Some(groups) = self.groups.as_deref_mut() else {
            return Ok(());
        };
        let group = find(&mut groups.groups, confirmation.key_id);
        let round = group.and_then(|group| group.round.as_mut());
        let asked = |round: &&mut Round| {
            round.trace.sequence == confirmation.sequence
                && round.generation == confirmation.generation
        };
        let Some(round) = round.filter(asked) else {
            return Ok(());
        };
        if round.waiting.remove(&rank) {
            let outcome = match confirmation.result {
                ResultCode::Completed | ResultCode::Accepted => CommandOutcome::Confirmed,
                failed => CommandOutcome::Failed(failed),
            };
            let report = round.report(rank, Some(now), now, outcome);
            groups.ended.push(report);
            self.settle_groups();
        }
        Ok(())
    }

    /// Orders to groups that members have neither confirmed nor been given alone.
    pub(super) fn unfinished_rounds(&self, now: Instant) -> impl Iterator<Item = CommandReport> {
        let groups = self.groups.iter().flat_map(|groups| &groups.groups);
        let rounds = groups.filter_map(|group| group.round.as_ref());
        rounds.flat_map(move |round| {
            let pending = CommandOutcome::Pending;
            let waiting = round.waiting.iter();
            waiting.map(move |&rank| round.report(rank, None, now, pending))
        })
    }

    /// Keys of groups that members hold.
    pub(super) fn group_keys(&self) -> impl Iterator<Item = (u32, &KeySummary)> {
        let groups = self.groups.iter().flat_map(|groups| &groups.groups);
        let members = groups.flat_map(|group| &group.members);
        members.filter_map(|(rank, member)| Some((*rank, member.holds.as_ref()?)))
    }

    fn do_chores(&mut self, chores: Chores) {
        for (order, task) in chores.requests {
            self.request(order, &task);
        }
        for (rank, summary) in chores.ended {
            let event = HeadendEvent::KeyEnded(summary);
            self.events.push_back((rank, event));
        }
        self.settle_groups();
    }

    fn settle_groups(&mut self) {
        if let Some(groups) = &mut self.groups {
            for report in groups.ended.drain(..) {
                let event = HeadendEvent::Command(report);
                self.events.push_back((report.order.rank, event));
            }
        }
        self.touched.push(Alarm::Commands);
    }
}

impl Round {
    fn report(
        &self,
        rank: u32,
        responded: Option<Instant>,
        ended: Instant,
        outcome: CommandOutcome,
    ) -> CommandReport {
        CommandReport {
            order: SwitchOrder { rank, ..self.order },
            group: Some(self.trace),
            sequence: self.trace.sequence,
            ordered: self.trace.sent,
            issued: Some(self.trace.sent),
            responded,
            ended,
            transmissions: 0,
            outcome,
        }
    }

    fn superseded(&self, now: Instant) -> impl Iterator<Item = CommandReport> {
        let superseded = CommandOutcome::Superseded;
        let waiting = self.waiting.iter();
        waiting.map(move |&rank| self.report(rank, None, now, superseded))
    }
}

fn find(groups: &mut [Group], key_id: u8) -> Option<&mut Group> {
    groups
        .iter_mut()
        .find(|group| group.policy.key_id == key_id)
}
