//! Attackers, and how strong the keys are that they try.

use firmware::Duration;
use firmware::crypto::eax_prime::Rule;
use models::attack;
use models::fleet::PskPolicy;
use models::time::Time;

use super::record::{choice, record};
use super::units::Ratio;

record! {
    /// Somebody who wishes the fleet ill: what it can do, when and to whom.
    ///
    /// What it can do is its capability: position (and foothold) x knowledge x resources (count
    /// and every).
    pub struct Attacker {
        /// Name, unique among the attackers.
        name: String,
        /// What it does.
        attack: Attack,
        /// Where it stands.
        position: Position,
        /// At which nodes or links it stands there.
        foothold: Foothold = Foothold::Access,
        /// What it knows of its victims.
        knowledge: Knowledge = Knowledge::Nothing,
        /// How many attackers of this kind act at once, 1 to 16,384.
        count: u32 = 1,
        /// Mean time between two actions of each.
        every: Duration = Duration::from_secs(1),
        /// Cohort whose meters are victims; all if absent.
        cohort: Option<String> = None,
        /// Share of these meters that are victims, drawn at random.
        fraction: Ratio = Ratio::ONE,
        /// Virtual time of the first action.
        start: Duration = Duration::ZERO,
        /// Virtual time from which nothing is done any more; the end of the run if absent.
        stop: Option<Duration> = None,
        /// Time over which the rate grows from nothing, or over which attackers set out.
        ramp: Duration = Duration::ZERO,
    }
}

choice! {
    /// Where an attacker stands; each position includes those before it.
    #[derive(Copy, Eq)]
    pub enum Position {
        /// In the network: sends from any source address, sees nothing.
        Remote,
        /// At its foothold: also sees every datagram there, in the air what its neighbours send.
        Tap,
        /// In a node that forwards for its victims: also drops, alters and delays datagrams.
        OnPath,
        /// At the head-end: also gives orders in its name.
        HeadEnd,
    }
}

choice! {
    /// At which nodes or links an attacker has its position.
    #[derive(Copy, Eq)]
    pub enum Foothold {
        /// At the access of each victim: its own link or, on a shared medium, its concentrator's.
        Access,
        /// In the stations of each shared medium that forward for the most others.
        Relays {
            /// How many of each medium, 1 to 64.
            count: u32 = 1,
        },
        /// In one meter on a shared medium.
        Meter {
            /// The meter, as the results number it: 0 is the first of the first cohort.
            number: u32,
        },
    }
}

choice! {
    /// What an attacker knows of its victims; each level includes those before it.
    #[derive(Copy, Eq)]
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
}

choice! {
    /// Which datagrams are meant.
    #[derive(Copy, Eq)]
    pub enum Protocols {
        /// Authentication only.
        Pana,
        /// Application messages only.
        C1222,
        /// Both.
        All,
    }
}

choice! {
    /// A message that pretends to come from the other end.
    #[derive(Copy, Eq)]
    pub enum SpoofedMessage {
        /// PTR to the head-end, as if the meter logged out.
        Termination,
        /// PNR with A bit to the head-end, as if the meter asked for a re-authentication.
        Reauthentication,
        /// PCI to the head-end, as if the meter had rebooted.
        Initiation,
        /// PAR with C bit and EAP-Failure to a meter in the middle of its authentication.
        Failure,
    }
}

choice! {
    /// What becomes known to an eavesdropper.
    #[derive(Copy, Eq)]
    pub enum Leak {
        /// Nothing: it has only what travels in clear.
        Nothing,
        /// The C12.22 key that each victim uses at a time drawn from a window.
        SessionKey {
            /// Start of the window.
            from: Duration,
            /// End of the window.
            until: Duration,
        },
        /// The pre-shared key of each victim.
        PreSharedKey {
            /// Virtual time of the leak.
            at: Duration,
        },
    }
}

choice! {
    /// What is altered on the path.
    #[derive(Copy, Eq)]
    pub enum Tampering {
        /// The first PAR offers nothing but the weakest algorithms.
        Downgrade,
        /// One random bit of a datagram flips.
        BitFlip {
            /// Which datagrams.
            protocols: Protocols = Protocols::All,
            /// Share of them.
            share: Ratio = Ratio::ONE,
        },
    }
}

choice! {
    /// A family of EAX' forgeries.
    #[derive(Copy, Eq)]
    pub enum ForgeryFamily {
        /// A cleartext of one block and a shorter ciphertext.
        CleartextBlock,
        /// A ciphertext of one block and a shorter cleartext.
        CiphertextBlock,
    }
}

choice! {
    /// What an endpoint makes of an EAX' cleartext of at most one block.
    #[derive(Copy, Eq)]
    pub enum ShortCleartext {
        /// Refuses it: the countermeasure.
        Reject,
        /// Accepts it, as the bare algorithm does.
        Accept,
    }
}

choice! {
    /// What an attacker does.
    pub enum Attack {
        /// PCI from spoofed addresses: exhausts the state of the head-end.
        /// Capability needed: Remote.
        Flood,
        /// Meters without the pre-shared key that claim the identities of victims.
        /// Capability needed: Remote and knows Identities.
        Rogue,
        /// Copies of victims with their pre-shared keys, which report no consumption.
        /// Capability needed: Remote and knows PreSharedKeys.
        Clone,
        /// Recorded datagrams, sent again.
        /// Capability needed: Tap.
        Replay {
            /// How much later.
            delay: Duration,
            /// Which datagrams; never a PCI, which carries nothing of its sender.
            protocols: Protocols = Protocols::All,
            /// Share of them.
            share: Ratio = Ratio::ONE,
        },
        /// Messages in the name of victims, without their keys.
        /// Capability needed: Tap, or Remote for an Initiation.
        Spoof {
            /// Which message.
            message: SpoofedMessage,
        },
        /// Recording, and decryption with what leaks.
        /// Capability needed: Tap and knows what leaks.
        Eavesdrop {
            /// What leaks.
            leak: Leak = Leak::Nothing,
        },
        /// Guesses at a pre-shared key of digits, from one recorded authentication.
        /// Capability needed: Tap.
        Dictionary {
            /// Decimal digits of the key.
            digits: u8,
            /// The first guess.
            first: u64 = 0,
            /// How many guesses.
            guesses: u64 = 100_000_000,
            /// Time per guess; a core with AES instructions makes about 3 million per second.
            guess: Duration = Duration::from_nanos(333),
        },
        /// Alteration on the path.
        /// Capability needed: OnPath.
        Tamper {
            /// Of what.
            what: Tampering,
        },
        /// EAX' messages under an unknown key, to endpoints with short cleartexts.
        /// Capability needed: Remote.
        Forge {
            /// Which construction.
            family: ForgeryFamily,
            /// The defence of the endpoints.
            short_cleartext: ShortCleartext = ShortCleartext::Reject,
        },
        /// Datagrams vanish on the path.
        /// Capability needed: OnPath.
        Block {
            /// Which datagrams.
            protocols: Protocols = Protocols::All,
            /// Share of them.
            share: Ratio = Ratio::ONE,
        },
        /// Orders to the switches of all victims, through the queue of the head-end.
        /// Capability needed: HeadEnd and knows Operator.
        MassDisconnect {
            /// How often all are ordered to move: to open first, then to close, and so on.
            waves: u32 = 1,
            /// From wave to wave.
            hold: Duration = Duration::from_secs(300),
            /// From the first order until the operator stops it and closes all switches again.
            detected_after: Option<Duration> = None,
        },
        /// Passwords of digits, tried at the optical ports of victims in turn, one every `every`.
        /// Capability needed: Tap.
        Optical {
            /// Decimal digits of a password, 1 to 19.
            digits: u8,
            /// The first guess.
            first: u64 = 0,
            /// How many guesses at each victim.
            guesses: u64 = 1_000_000_000,
            /// How long each attacker waits when a port is locked.
            patience: Duration = Duration::from_secs(300),
            /// Time at each victim; if absent nobody leaves his first one.
            stay: Option<Duration> = None,
            /// Open the service switch once a password is accepted; a master's may.
            disconnect: bool = false,
        },
        /// Orders of demand response under the group key in the memory of one victim of each
        /// instance, opened at the start; one order to all victims per `every`.
        /// Capability needed: Remote and knows GroupKey.
        GroupOrder {
            /// What controllable load may draw, of what it would; whole per cent below 100 %.
            level: Ratio = Ratio::ZERO,
            /// How long; whole minutes.
            duration: Duration = Duration::from_secs(3_600),
        },
        /// Datagrams are held on the path and forwarded later.
        /// Capability needed: OnPath.
        Delay {
            /// How much later.
            by: Duration,
            /// Which datagrams.
            protocols: Protocols = Protocols::All,
            /// Share of them.
            share: Ratio = Ratio::ONE,
        },
        /// Nothing gets through in periodic bursts; in the air, to nobody near the foothold.
        /// Capability needed: Tap.
        Jam {
            /// Length of a burst.
            burst: Duration,
            /// From burst to burst.
            period: Duration,
        },
    }
}

choice! {
    /// How the pre-shared keys of a cohort came about.
    #[derive(Copy, Eq)]
    pub enum Psk {
        /// 128 random bits.
        Random,
        /// Decimal digits that somebody typed in, zeros behind.
        Digits {
            /// How many, 1 to 16.
            count: u8,
        },
    }
}

impl Psk {
    /// The same for the models.
    pub const fn policy(self) -> PskPolicy {
        match self {
            Self::Random => PskPolicy::Random,
            Self::Digits { count } => PskPolicy::Digits(count),
        }
    }
}

impl Protocols {
    const fn model(self) -> attack::Protocols {
        match self {
            Self::Pana => attack::Protocols::Pana,
            Self::C1222 => attack::Protocols::C1222,
            Self::All => attack::Protocols::All,
        }
    }
}

impl Position {
    const fn model(self) -> attack::Position {
        match self {
            Self::Remote => attack::Position::Remote,
            Self::Tap => attack::Position::Tap,
            Self::OnPath => attack::Position::OnPath,
            Self::HeadEnd => attack::Position::HeadEnd,
        }
    }
}

impl Foothold {
    const fn model(self) -> attack::Foothold {
        match self {
            Self::Access => attack::Foothold::Access,
            Self::Relays { count } => attack::Foothold::Relays(count),
            Self::Meter { number } => attack::Foothold::Meter(number),
        }
    }
}

impl Knowledge {
    const fn model(self) -> attack::Knowledge {
        match self {
            Self::Nothing => attack::Knowledge::Nothing,
            Self::Identities => attack::Knowledge::Identities,
            Self::GroupKey => attack::Knowledge::GroupKey,
            Self::SessionKeys => attack::Knowledge::SessionKeys,
            Self::PreSharedKeys => attack::Knowledge::PreSharedKeys,
            Self::Operator => attack::Knowledge::Operator,
        }
    }
}

impl Leak {
    fn model(self) -> attack::Leak {
        match self {
            Self::Nothing => attack::Leak::Nothing,
            Self::SessionKey { from, until } => attack::Leak::SessionKey {
                from: Time::ZERO + from,
                until: Time::ZERO + until,
            },
            Self::PreSharedKey { at } => attack::Leak::PreSharedKey {
                at: Time::ZERO + at,
            },
        }
    }
}

impl Attack {
    /// The same for the models.
    pub fn model(&self) -> attack::Attack {
        match *self {
            Self::Flood => attack::Attack::Flood,
            Self::Rogue => attack::Attack::Rogue,
            Self::Clone => attack::Attack::Clone,
            Self::Replay {
                delay,
                protocols,
                share,
            } => attack::Attack::Replay {
                delay,
                protocols: protocols.model(),
                share_ppb: share.ppb(),
            },
            Self::Spoof { message } => attack::Attack::Spoof(match message {
                SpoofedMessage::Termination => attack::Spoofed::Termination,
                SpoofedMessage::Reauthentication => attack::Spoofed::Reauthentication,
                SpoofedMessage::Initiation => attack::Spoofed::Initiation,
                SpoofedMessage::Failure => attack::Spoofed::Failure,
            }),
            Self::Eavesdrop { leak } => attack::Attack::Eavesdrop(leak.model()),
            Self::Dictionary {
                digits,
                first,
                guesses,
                guess,
            } => attack::Attack::Dictionary {
                digits,
                first,
                guesses,
                guess,
            },
            Self::Tamper { what } => attack::Attack::Tamper(match what {
                Tampering::Downgrade => attack::Tampering::Downgrade,
                Tampering::BitFlip { protocols, share } => attack::Tampering::BitFlip {
                    protocols: protocols.model(),
                    share_ppb: share.ppb(),
                },
            }),
            Self::Forge {
                family,
                short_cleartext,
            } => attack::Attack::Forge {
                family: match family {
                    ForgeryFamily::CleartextBlock => attack::Family::CleartextBlock,
                    ForgeryFamily::CiphertextBlock => attack::Family::CiphertextBlock,
                },
                rule: match short_cleartext {
                    ShortCleartext::Reject => Rule::RejectShortCleartext,
                    ShortCleartext::Accept => Rule::AcceptAnyCleartext,
                },
            },
            Self::Block { protocols, share } => attack::Attack::Block {
                protocols: protocols.model(),
                share_ppb: share.ppb(),
            },
            Self::Delay {
                by,
                protocols,
                share,
            } => attack::Attack::Delay {
                by,
                protocols: protocols.model(),
                share_ppb: share.ppb(),
            },
            Self::MassDisconnect {
                waves,
                hold,
                detected_after,
            } => attack::Attack::MassDisconnect {
                waves,
                hold,
                detected_after,
            },
            Self::Optical {
                digits,
                first,
                guesses,
                patience,
                stay,
                disconnect,
            } => attack::Attack::Optical {
                digits,
                first,
                guesses,
                patience,
                stay,
                disconnect,
            },
            Self::GroupOrder { level, duration } => attack::Attack::GroupOrder {
                level_percent: (level.ppb() / 10_000_000) as u8,
                duration_min: u16::try_from(duration.as_secs() / 60).unwrap_or(u16::MAX),
            },
            Self::Jam { burst, period } => attack::Attack::Jam { burst, period },
        }
    }
}

impl Attacker {
    /// The same for the models, in a run of the given `duration`.
    pub fn model(
        &self,
        duration: Duration,
        cohort_index: impl Fn(&str) -> usize,
    ) -> attack::Attacker {
        attack::Attacker {
            name: self.name.clone(),
            capability: attack::Capability {
                position: self.position.model(),
                foothold: self.foothold.model(),
                knowledge: self.knowledge.model(),
                count: self.count,
                every: self.every,
            },
            campaign: attack::Campaign {
                start: Time::ZERO + self.start,
                stop: Time::ZERO + self.stop.unwrap_or(duration),
                ramp: self.ramp,
            },
            cohort: self.cohort.as_deref().map(cohort_index),
            fraction_ppb: self.fraction.ppb(),
            attack: self.attack.model(),
        }
    }
}
