//! The least that such a day can cost: entities, an agenda and the ciphers, without any protocol.
//!
//! The events are those of the workload without losses: ten datagrams for each authentication, one
//! an hour, and a request and a response each quarter of an hour, 20 to 80 ms under way. The ciphers
//! are those that EAP-PSK and EAX′ run on both sides, over messages of the workload's lengths; hashes
//! are not among them. Nothing is encoded, checked, kept, retransmitted or recorded.
//!
//! A cost in floors compares between machines, and between good and bad hours of one machine.

use std::time::Instant;

use bevy_ecs::component::Component;
use bevy_ecs::entity::Entity;
use bevy_ecs::world::World;
use firmware::crypto::eax_prime::{EaxPrimeKey, Rule};
use firmware::crypto::{AesKey, CmacKey, EaxKey, Work};
use models::event::{Agenda, Event};
use models::time::{Duration, Time};
use sim::engine::TimingWheel;

const DAY: Time = Time::from_secs(86_400);
const QUARTER: Duration = Duration::from_secs(900);
const HOUR: Duration = Duration::from_secs(3_600);
/// Datagrams of an authentication.
const STEPS: u32 = 10;
/// Encrypted octets of a report and of its confirmation, and the cleartext in front of either.
const REPORT_LEN: usize = 96;
const CONFIRMATION_LEN: usize = 18;
const CLEARTEXT_LEN: usize = 60;
/// Octets under the MACs of EAP-PSK, with identities of eight octets.
const MAC_P_LEN: usize = 48;
const MAC_S_LEN: usize = 24;

/// What happens to a side.
const REPORT: u8 = 0;
const REQUEST: u8 = 1;
const CONFIRMATION: u8 = 2;
const AUTHENTICATION: u8 = 3;

/// A meter, or what the head-end knows of it.
#[derive(Component)]
struct Side {
    meter: u32,
    ak: CmacKey,
    key: EaxPrimeKey,
    channel: EaxKey,
    events: u32,
}

/// What a meter and the head-end have under way to each other.
#[derive(Clone)]
struct Wire {
    text: [u8; REPORT_LEN],
    mac: [u8; 4],
    channel: [u8; 1],
    tag: [u8; 16],
}

impl Side {
    fn new(meter: u32, work: &mut Work) -> Self {
        let key = u128::from(meter).to_be_bytes();
        Self {
            meter,
            ak: CmacKey::new(&key, work),
            key: EaxPrimeKey::new(&key, work),
            channel: EaxKey::new(key),
            events: 0,
        }
    }

    fn seal(&self, len: usize, wire: &mut Wire, work: &mut Work) {
        let cleartext = [self.meter as u8; CLEARTEXT_LEN];
        let text = &mut wire.text[..len];
        let mac = self.key.seal(&[&cleartext], text, Rule::default(), work);
        wire.mac = mac.expect("the cleartext is long enough");
    }

    /// Fails only where the keys have just changed.
    fn open(&self, len: usize, wire: &mut Wire, work: &mut Work) {
        let cleartext = [self.meter as u8; CLEARTEXT_LEN];
        let (text, rule) = (&mut wire.text[..len], Rule::default());
        let _ = self.key.open(&[&cleartext], text, &wire.mac, rule, work);
    }

    fn mac(&self, len: usize, work: &mut Work) {
        std::hint::black_box(self.ak.tag(&[&[0; 64][..len]], work));
    }

    /// The keys of a conversation.
    fn renew(&mut self, count: u32, work: &mut Work) {
        let kdk = AesKey::new(&u128::from(self.meter).to_be_bytes(), work);
        let mut tek = u128::from(count).to_be_bytes();
        (0..10).for_each(|_| kdk.encrypt(&mut tek, work));
        self.channel = EaxKey::new(tek);
        self.key = EaxPrimeKey::new(&tek, work);
    }

    fn seal_channel(&self, wire: &mut Wire, work: &mut Work) {
        wire.tag = self
            .channel
            .seal(&[0; 16], &[0; 22], &mut wire.channel, work);
    }

    fn open_channel(&self, wire: &mut Wire, work: &mut Work) {
        let Wire { channel, tag, .. } = wire;
        let opened = self.channel.open(&[0; 16], &[0; 22], channel, tag, work);
        opened.expect("both sides have derived the same key");
    }

    /// What the ciphers do when datagram `step` of an authentication is handled.
    fn authenticate(&mut self, step: u32, count: u32, wire: &mut Wire, work: &mut Work) {
        match step {
            // MAC_P: made by the meter, checked by the head-end, which answers with MAC_S.
            4 => self.mac(MAC_P_LEN, work),
            5 => {
                self.mac(MAC_P_LEN, work);
                self.mac(MAC_S_LEN, work);
                self.renew(count, work);
                self.seal_channel(wire, work);
            }
            6 => {
                self.mac(MAC_S_LEN, work);
                self.renew(count, work);
                self.open_channel(wire, work);
                self.seal_channel(wire, work);
            }
            7 => self.open_channel(wire, work),
            _ => {}
        }
    }
}

/// Milliseconds per meter and day with `meters` meters, with the ciphers or without.
pub(crate) fn ms_per_day(meters: u32, ciphers: bool) -> f64 {
    let mut work = Work::NONE;
    let mut world = World::new();
    let mut spawn = |meter| world.spawn(Side::new(meter, &mut work)).id();
    let sides: Vec<[Entity; 2]> = (0..meters)
        .map(|meter| [spawn(meter), spawn(meter)])
        .collect();
    let mut wires = vec![
        Wire {
            text: [0; REPORT_LEN],
            mac: [0; 4],
            channel: [0],
            tag: [0; 16],
        };
        meters as usize
    ];
    let mut agenda = TimingWheel::new();
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut draw = move |below: Duration| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        Duration::from_nanos(random % below.as_nanos())
    };
    let mut sequence = 0;
    let mut event = move |time, target, kind, payload| {
        sequence += 1;
        Event {
            time,
            target,
            source: target,
            sequence,
            phase: 0,
            kind,
            payload,
        }
    };
    for meter in 0..meters {
        agenda.post(event(Time::ZERO + draw(QUARTER), meter, REPORT, 0));
        agenda.post(event(Time::ZERO + draw(HOUR), meter, AUTHENTICATION, 0));
    }

    let start = Instant::now();
    let mut query = world.query::<&mut Side>();
    let mut query = query.query_mut(&mut world);
    while let Some(now) = agenda.pop_before(DAY) {
        let meter = now.target;
        let (step, count) = (now.payload % (STEPS + 1), now.payload / (STEPS + 1));
        let at_head_end = match now.kind {
            AUTHENTICATION => step % 2 == 1,
            kind => kind == REQUEST,
        };
        let entity = sides[meter as usize][usize::from(at_head_end)];
        let mut side = query.get_mut(entity).expect("it was spawned");
        side.events += 1;
        let wire = &mut wires[meter as usize];
        if ciphers {
            match now.kind {
                REPORT => side.seal(REPORT_LEN, wire, &mut work),
                REQUEST => {
                    side.open(REPORT_LEN, wire, &mut work);
                    side.seal(CONFIRMATION_LEN, wire, &mut work);
                }
                CONFIRMATION => side.open(CONFIRMATION_LEN, wire, &mut work),
                _ => side.authenticate(step, count, wire, &mut work),
            }
        }
        let under_way = Duration::from_millis(20) + draw(Duration::from_millis(60));
        let arrival = now.time + under_way;
        match now.kind {
            REPORT => {
                agenda.post(event(now.time + QUARTER, meter, REPORT, 0));
                agenda.post(event(arrival, meter, REQUEST, 0));
            }
            REQUEST => agenda.post(event(arrival, meter, CONFIRMATION, 0)),
            CONFIRMATION => {}
            _ => {
                let at = if step < STEPS {
                    arrival
                } else {
                    now.time + HOUR
                };
                agenda.post(event(at, meter, AUTHENTICATION, now.payload + 1));
            }
        }
    }
    start.elapsed().as_secs_f64() * 1e3 / f64::from(meters)
}
