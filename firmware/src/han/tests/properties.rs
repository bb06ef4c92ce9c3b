//! Whatever comes in: no panic, no state that it should not change, and what goes out comes back.

use proptest::collection::vec;
use proptest::prelude::*;

use super::frame::{Address, Endpoint, FrameKind, Header, KeyIdentifier, Security, SecurityLevel};
use super::*;
use crate::han::command::{self, Command};
use crate::han::display::Display;
use crate::han::message::Message;
use crate::wire::{Reader, Writer};

fn endpoint() -> impl Strategy<Value = Option<Endpoint>> {
    let address = prop_oneof![
        any::<u16>().prop_map(Address::Short),
        any::<u64>().prop_map(Address::Extended),
    ];
    proptest::option::of((any::<u16>(), address))
        .prop_map(|end| end.map(|(pan, address)| Endpoint { pan, address }))
}

fn security() -> impl Strategy<Value = Option<Security>> {
    let level = (1_u8..=7).prop_filter_map("level", SecurityLevel::of);
    let key = prop_oneof![
        Just(KeyIdentifier::Implicit),
        any::<u8>().prop_map(KeyIdentifier::Index),
        any::<(u32, u8)>().prop_map(|(source, index)| KeyIdentifier::Source4(source, index)),
        any::<(u64, u8)>().prop_map(|(source, index)| KeyIdentifier::Source8(source, index)),
    ];
    let security = (level, any::<u32>(), key).prop_map(|(level, counter, key)| Security {
        level,
        counter,
        key,
    });
    proptest::option::of(security)
}

fn header() -> impl Strategy<Value = Header> {
    let kind = prop_oneof![
        Just(FrameKind::Beacon),
        Just(FrameKind::Data),
        Just(FrameKind::Ack),
        Just(FrameKind::Command),
    ];
    let flags = any::<(bool, bool, u8)>();
    (kind, flags, endpoint(), endpoint(), security()).prop_map(
        |(kind, (pending, ack_request, sequence), destination, source, security)| Header {
            kind,
            pending,
            ack_request,
            sequence,
            destination,
            source,
            security,
        },
    )
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        any::<[u8; 8]>().prop_map(Message::KeyRequest),
        any::<([u8; 8], [u8; 16], u8, u32)>().prop_map(|(challenge, key, key_id, lifetime_s)| {
            Message::KeyTransport {
                challenge,
                key: Secret::new(key),
                key_id,
                lifetime_s,
            }
        }),
        Just(Message::KeyConfirm),
        (any::<(u8, u32, i32, u16)>(), 0_u64..1 << 48).prop_map(
            |((tier, utc_s, power_w, price_mills), energy_wh)| Message::Usage(Usage {
                tier,
                utc_s,
                power_w,
                energy_wh,
                price_mills,
            })
        ),
        (any::<u16>(), "[ -~]{1,64}")
            .prop_map(|(number, text)| Message::Text(Text::new(number, &text).unwrap())),
        (any::<(u32, u32, u16)>(), 0_u8..=100).prop_map(
            |((number, start_utc_s, minutes), reduction_percent)| {
                Message::DemandEvent(DemandEvent {
                    number,
                    start_utc_s,
                    minutes,
                    reduction_percent,
                })
            }
        ),
        any::<(u32, bool, u32)>().prop_map(|(number, accepted, reduction_w)| {
            Message::EventAnswer(EventAnswer {
                number,
                accepted,
                reduction_w,
            })
        }),
    ]
}

proptest! {
    #[test]
    fn headers_come_back(header in header()) {
        let mut out = [0xA5; 64];
        let mut writer = Writer::new(&mut out);
        header.emit(&mut writer).unwrap();
        let mut reader = Reader::new(writer.written());
        prop_assert_eq!(Header::parse(&mut reader), Ok(header));
        prop_assert!(reader.is_empty());
    }

    #[test]
    fn messages_come_back(message in message()) {
        let mut out = [0xA5; 80];
        let mut writer = Writer::new(&mut out);
        message.emit(&mut writer).unwrap();
        prop_assert_eq!(Message::parse(writer.written()), Ok(message));
    }

    #[test]
    fn parsers_never_panic(octets in vec(any::<u8>(), 0..140)) {
        let _ = Header::parse(&mut Reader::new(&octets));
        let _ = Command::parse(&octets);
        let _ = Message::parse(&octets);
        let _ = command::permits_joining(&octets);
        let _ = frame::checked(&octets);
    }

    #[test]
    fn frames_of_strangers_change_nothing(
        header in header(),
        body in vec(any::<u8>(), 0..90),
        keep in any::<bool>(),
    ) {
        let mut house = House::joined(std::vec![display()]);
        let mut out = [0; 127];
        let mut writer = Writer::new(&mut out);
        let mut header = header;
        if keep {
            // Addressed as the meter's own frames are, so that it gets as far as the keys.
            let update = house.air.last().unwrap();
            let own = key::Received::parse(&update.psdu).unwrap().header;
            (header.destination, header.source) = (own.destination, own.source);
        }
        header.emit(&mut writer).unwrap();
        let body = &body[..body.len().min(writer.remaining() - 2)];
        writer.put(body).unwrap();
        frame::put_fcs(&mut writer).unwrap();
        let psdu = writer.written();
        let before = house.updates.len();
        let mut env = Env::new(house.now, &mut house.rng, &mut house.work);
        let _ = house.coordinator.handle_frame(psdu, &mut env);
        prop_assert!(house.devices[0].handle_frame(psdu, 15, &mut env).is_err());
        house.run(Duration::from_secs(60));
        prop_assert!(house.updates_since(before, 0) >= 11);
        prop_assert!(house.devices[0].is_joined());
    }

    #[test]
    fn bars_sum_up_to_the_register(steps in vec((1_u32..90_000, 0_u64..50_000), 1..40)) {
        let mut display = Display::new(-25_200);
        let mut usage = Usage { utc_s: START_UTC_S, ..Usage::default() };
        display.update(usage, Instant::ZERO);
        let mut recent = 0;
        for (seconds, wh) in steps {
            usage.utc_s += seconds;
            usage.energy_wh += wh;
            display.update(usage, Instant::ZERO);
            recent += wh;
            let shown: u64 = display.days().watt_hours().iter().sum();
            prop_assert!(shown <= recent);
            if (usage.utc_s - START_UTC_S) / 86_400 < 30 {
                prop_assert_eq!(shown, recent);
            }
            prop_assert!(display.hours().watt_hours().iter().sum::<u64>() <= recent);
        }
    }
}
