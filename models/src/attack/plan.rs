//! What an attacker can do, when, and to whom.

use std::fmt;

use firmware::crypto::eax_prime::Rule;

use crate::rng::mix;
use crate::time::{Duration, Time};

/// Where an attacker stands; each position includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Position {
    /// Somewhere in the network: sends from any source address, sees nothing.
    Remote,
    /// At its foothold: also sees every datagram there, in the air what its neighbours send.
    Tap,
    /// In a node that forwards for its victims: also drops, alters and delays datagrams.
    OnPath,
    /// At the head-end: also gives orders in its name.
    HeadEnd,
}

impl Position {
    /// The name in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Remote => "remote",
            Self::Tap => "tap",
            Self::OnPath => "on_path",
            Self::HeadEnd => "head_end",
        }
    }
}

/// What an attacker knows of its victims; each level includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Knowledge {
    /// Nothing that is not public.
    Nothing,
    /// Identities and ApTitles.
    Identities,
    /// What lies in the memory of one of them: the key that its group shares.
    GroupKey,
    /// One C12.22 key of each.
    SessionKeys,
    /// The pre-shared keys.
    PreSharedKeys,
    /// What an operator knows: how to give orders that the head-end carries out.
    Operator,
}

impl Knowledge {
    /// The name in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Identities => "identities",
            Self::GroupKey => "group_key",
            Self::SessionKeys => "session_keys",
            Self::PreSharedKeys => "pre_shared_keys",
            Self::Operator => "operator",
        }
    }
}

/// At which nodes or links an attacker has its position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Foothold {
    /// At the access of each victim: its own link or, for meters that share a medium, that of
    /// their concentrator, which is also where a compromised concentrator stands.
    #[default]
    Access,
    /// In the stations of each shared medium that forward for the most others; so many.
    Relays(u32),
    /// In one station of a shared medium: this meter.
    Meter(u32),
}

impl Foothold {
    /// The name in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Relays(_) => "relays",
            Self::Meter(_) => "meter",
        }
    }
}

/// What an attacker is able to do: position × knowledge × resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability {
    /// What it can do to datagrams.
    pub position: Position,
    /// At which nodes or links.
    pub foothold: Foothold,
    /// What it knows.
    pub knowledge: Knowledge,
    /// How many attackers of this kind act at once.
    pub count: u32,
    /// Mean time between two actions of each.
    pub every: Duration,
}

/// As in `tap at access, knows identities, 20 members, an action per 0.5 s each`.
impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (position, foothold) = (self.position.name(), self.foothold.name());
        write!(f, "{position} at {foothold}")?;
        match self.foothold {
            Foothold::Access => {}
            Foothold::Relays(number) | Foothold::Meter(number) => write!(f, " {number}")?,
        }
        let members = if self.count == 1 { "member" } else { "members" };
        let (knowledge, every) = (self.knowledge.name(), self.every.as_nanos() as f64 / 1e9);
        write!(
            f,
            ", knows {knowledge}, {} {members}, an action per {every} s each",
            self.count
        )
    }
}

/// When an attacker acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// First action.
    pub start: Time,
    /// No action from here on.
    pub stop: Time,
    /// Time after `start` over which the rate grows from zero, or over which attackers set out.
    pub ramp: Duration,
}

impl Campaign {
    /// Whether the campaign is on at `now`.
    pub fn is_on(&self, now: Time) -> bool {
        self.start <= now && now < self.stop
    }
}

/// Which datagrams are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocols {
    /// Authentication only.
    Pana,
    /// Application messages only.
    C1222,
    /// Both.
    All,
}

impl Protocols {
    /// Whether datagrams of the protocol with this name are meant.
    pub fn include(self, protocol: &str) -> bool {
        match self {
            Self::Pana => protocol == "pana",
            Self::C1222 => protocol == "c1222",
            Self::All => true,
        }
    }
}

/// A message that pretends to come from the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoofed {
    /// PTR to the head-end, as if the meter logged out.
    Termination,
    /// PNR\[A\] to the head-end, as if the meter asked for a re-authentication.
    Reauthentication,
    /// PCI to the head-end, as if the meter had rebooted.
    Initiation,
    /// PAR\[C\] with EAP-Failure to a meter in the middle of its authentication.
    Failure,
}

/// What becomes known to an eavesdropper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leak {
    /// Nothing: it has only what travels in clear.
    Nothing,
    /// The C12.22 key that each victim uses at a time drawn from this window.
    SessionKey {
        /// Start of the window.
        from: Time,
        /// End of the window.
        until: Time,
    },
    /// The pre-shared key of each victim.
    PreSharedKey {
        /// When.
        at: Time,
    },
}

/// What is altered on the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tampering {
    /// PAR\[S\] offers nothing but the weakest algorithms.
    Downgrade,
    /// One random bit of a datagram flips.
    BitFlip {
        /// Which datagrams.
        protocols: Protocols,
        /// Share of them, in billionths.
        share_ppb: u32,
    },
}

/// A family of EAX′ forgeries (Minematsu et al., FSE 2013).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// A cleartext of one block and a shorter ciphertext.
    CleartextBlock,
    /// A ciphertext of one block and a shorter cleartext.
    CiphertextBlock,
}

/// What an attacker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    /// PCI from spoofed addresses.
    Flood,
    /// Meters without the pre-shared key that claim the identities of victims.
    Rogue,
    /// Copies of victims with their pre-shared keys.
    Clone,
    /// Recorded datagrams, sent again.
    Replay {
        /// How much later.
        delay: Duration,
        /// Which datagrams; a PCI is never one, for it carries nothing of its sender.
        protocols: Protocols,
        /// Share of them, in billionths.
        share_ppb: u32,
    },
    /// Messages in the name of a victim, without its keys.
    Spoof(Spoofed),
    /// Recording, and decryption at the end.
    Eavesdrop(Leak),
    /// Guesses at a pre-shared key of decimal digits, from one recorded authentication.
    Dictionary {
        /// Decimal digits of the pre-shared key.
        digits: u8,
        /// The first guess.
        first: u64,
        /// How many guesses.
        guesses: u64,
        /// Time per guess.
        guess: Duration,
    },
    /// Alteration on the path.
    Tamper(Tampering),
    /// EAX′ messages under an unknown key.
    Forge {
        /// Which construction.
        family: Family,
        /// What the victims make of short cleartexts.
        rule: Rule,
    },
    /// Datagrams vanish on the path.
    Block {
        /// Which datagrams.
        protocols: Protocols,
        /// Share of them, in billionths.
        share_ppb: u32,
    },
    /// Datagrams are held on the path for a while.
    Delay {
        /// How long.
        by: Duration,
        /// Which datagrams.
        protocols: Protocols,
        /// Share of them, in billionths.
        share_ppb: u32,
    },
    /// Nothing gets through in periodic bursts.
    Jam {
        /// Length of a burst.
        burst: Duration,
        /// From burst to burst.
        period: Duration,
    },
    /// Orders to the switches of all victims, through the queue of the head-end.
    MassDisconnect {
        /// How often all are ordered to move: to open first, then to close, and so on.
        waves: u32,
        /// From wave to wave.
        hold: Duration,
        /// From the first order to the operator's intervention.
        detected_after: Option<Duration>,
    },
    /// Passwords of digits, tried at the optical port of one victim after the other.
    Optical {
        /// Decimal digits of a password.
        digits: u8,
        /// The first guess.
        first: u64,
        /// How many guesses at each victim.
        guesses: u64,
        /// How long each member waits when a port is locked.
        patience: Duration,
        /// Time at each victim; to the end of the campaign if absent.
        stay: Option<Duration>,
        /// Whether the switch is opened once a password is accepted.
        disconnect: bool,
    },
    /// Orders of demand response under the key of the group that one victim has.
    GroupOrder {
        /// What controllable load may draw, in per cent of what it would.
        level_percent: u8,
        /// How long, in minutes.
        duration_min: u16,
    },
}

impl Attack {
    /// The name in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flood => "flood",
            Self::Rogue => "rogue",
            Self::Clone => "clone",
            Self::Replay { .. } => "replay",
            Self::Spoof(_) => "spoof",
            Self::Eavesdrop(_) => "eavesdrop",
            Self::Dictionary { .. } => "dictionary",
            Self::Tamper(_) => "tamper",
            Self::Forge { .. } => "forge",
            Self::Block { .. } => "block",
            Self::Delay { .. } => "delay",
            Self::Jam { .. } => "jam",
            Self::MassDisconnect { .. } => "mass_disconnect",
            Self::Optical { .. } => "optical",
            Self::GroupOrder { .. } => "group_order",
        }
    }

    /// The position and the knowledge without which the attack cannot be made.
    pub const fn needs(self) -> (Position, Knowledge) {
        match self {
            Self::Flood | Self::Forge { .. } | Self::Spoof(Spoofed::Initiation) => {
                (Position::Remote, Knowledge::Nothing)
            }
            Self::Rogue => (Position::Remote, Knowledge::Identities),
            Self::Clone => (Position::Remote, Knowledge::PreSharedKeys),
            Self::Replay { .. }
            | Self::Spoof(_)
            | Self::Dictionary { .. }
            | Self::Optical { .. }
            | Self::Eavesdrop(Leak::Nothing)
            | Self::Jam { .. } => (Position::Tap, Knowledge::Nothing),
            Self::Eavesdrop(Leak::SessionKey { .. }) => (Position::Tap, Knowledge::SessionKeys),
            Self::Eavesdrop(Leak::PreSharedKey { .. }) => (Position::Tap, Knowledge::PreSharedKeys),
            Self::Tamper(_) | Self::Block { .. } | Self::Delay { .. } => {
                (Position::OnPath, Knowledge::Nothing)
            }
            Self::GroupOrder { .. } => (Position::Remote, Knowledge::GroupKey),
            Self::MassDisconnect { .. } => (Position::HeadEnd, Knowledge::Operator),
        }
    }

    /// Whether nobody but the attacker can notice anything.
    pub const fn is_passive(self) -> bool {
        matches!(self, Self::Eavesdrop(_) | Self::Dictionary { .. })
    }
}

/// An attacker of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attacker {
    /// The name in the scenario.
    pub name: String,
    /// What it is able to do.
    pub capability: Capability,
    /// When it acts.
    pub campaign: Campaign,
    /// Victims are meters of this cohort only.
    pub cohort: Option<usize>,
    /// Share of these meters that are victims, in billionths.
    pub fraction_ppb: u32,
    /// What it does.
    pub attack: Attack,
}

impl Attacker {
    /// The root of its randomness in a run with `seed`.
    ///
    /// It follows from the name, so that attackers can be added and removed without any other
    /// attacker's drawing anything else.
    pub fn seed(&self, seed: u64) -> u64 {
        // FNV-1a, mixed: names are short and few.
        let hash = self
            .name
            .bytes()
            .fold(0xCBF2_9CE4_8422_2325, |hash, octet| {
                (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01B3)
            });
        mix(seed ^ mix(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_campaign_is_half_open_and_capabilities_are_ordered() {
        let campaign = Campaign {
            start: Time::from_secs(10),
            stop: Time::from_secs(20),
            ramp: Duration::ZERO,
        };
        let on = [9, 10, 19, 20].map(|second| campaign.is_on(Time::from_secs(second)));
        assert_eq!(on, [false, true, true, false]);
        assert!(Position::Remote < Position::Tap && Position::Tap < Position::OnPath);
        assert!(Knowledge::SessionKeys < Knowledge::PreSharedKeys);
    }
}
