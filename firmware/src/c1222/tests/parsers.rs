//! No octets make a parser panic, and what parses is written back as it was.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::support::{load, octets};
use crate::Instant;
use crate::c1222::acse::{Authentication, Header, Qualifier, stream_len};
use crate::c1222::apdu::{self, Apdu, Protection};
use crate::c1222::aptitle::Title;
use crate::c1222::epsem::{Control, Mode, ResponseControl, put_service};
use crate::c1222::interval::Block;
use crate::c1222::segment::{Limits, Reassembler, Segment, Segmenter};
use crate::c1222::service::{
    Blocks, Identification, Registered, Request, Response, Trace, resolved,
};
use crate::crypto::Work;
use crate::crypto::eax_prime::EaxPrimeKey;
use crate::wire::Writer;

/// Runs every parser over `bytes`.
fn parse_all(bytes: &[u8]) {
    let _ = stream_len(bytes);
    let session = Authentication {
        key_id: None,
        iv: [0; 4],
    };
    if let Ok(apdu) = Apdu::parse(bytes) {
        let _ = apdu.canonical(session).parts(apdu.text());
        if let Ok(payload) = apdu.payload() {
            payload.services().flatten().for_each(parse_service);
        }
    }
    let mut copy = bytes.to_vec();
    if let Ok(mut apdu) = Apdu::parse_mut(&mut copy) {
        let key = EaxPrimeKey::new(&[0; 16], &mut Work::default());
        let _ = apdu.open(&key, session, &mut Work::default());
        let _ = apdu.into_payload();
    }
    let mut reassembler = Reassembler::new(Limits::default());
    if let Ok(Some(segment)) = Segment::parse(bytes) {
        let _ = reassembler.insert(&segment, Instant::ZERO);
    }
    if let Ok(mut segmenter) = Segmenter::new(bytes, 50) {
        let mut out = [0; 256];
        while let Ok(Some(_)) = segmenter.next(&mut out) {}
    }
    parse_service(bytes);
}

fn parse_service(bytes: &[u8]) {
    let _ = Response::parse(bytes);
    let _ = Identification::parse(bytes).map(|parsed| parsed.features().count());
    let _ = Registered::parse(bytes);
    let _ = resolved(bytes);
    let _ = Block::parse(bytes).map(|block| block.intervals().count());
    let _ = (Trace::new(bytes).count(), Blocks::new(bytes).count());
    if let Ok(request) = Request::parse(bytes) {
        let mut out = vec![0xA5; bytes.len() + 8];
        let mut writer = Writer::new(&mut out);
        request.emit(&mut writer).unwrap();
        let again = Request::parse(writer.written()).unwrap();
        assert_eq!(again, request);
    }
}

fn title() -> impl Strategy<Value = Option<Title>> {
    proptest::option::of(
        (
            any::<bool>(),
            proptest::collection::vec(0u32..200_000, 0..5),
        )
            .prop_map(|(absolute, arcs)| {
                let title = Title::relative(&arcs).unwrap();
                if absolute {
                    title.to_absolute(&[0x60, 0x7C]).unwrap()
                } else {
                    title
                }
            }),
    )
}

proptest! {
    #[test]
    fn any_octets_are_parsed_or_refused(bytes: Vec<u8>) {
        parse_all(&bytes);
    }

    #[test]
    fn any_service_is_parsed_or_refused(code: u8, mut data: Vec<u8>) {
        data.insert(0, code);
        parse_service(&data);
    }

    #[test]
    fn damaged_vectors_are_parsed_or_refused(
        which: prop::sample::Index,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut: prop::sample::Index,
    ) {
        let vectors = load("c1222_segmentation.json");
        let cases = vectors["cases"].as_array().unwrap();
        let case = &cases[which.index(cases.len())];
        let mut bytes = octets(&case["segments"][1]);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        parse_all(&bytes);
        parse_all(&bytes[..cut.index(bytes.len())]);
    }

    #[test]
    fn a_built_apdu_parses_to_what_it_was_built_from(
        (called, calling) in (title(), title()),
        (called_invocation, invocation) in (any::<Option<u32>>(), any::<u32>()),
        qualifier in any::<Option<u8>>(),
        key_id in any::<Option<u8>>(),
        in_header: bool,
        iv: [u8; 4],
        mode in 0usize..3,
        ed_class in any::<Option<[u8; 4]>>(),
        services in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..300), 0..4),
    ) {
        let session = Authentication { key_id, iv };
        let header = Header {
            called: called.as_ref().map(Title::get),
            called_invocation,
            calling: calling.as_ref().map(Title::get),
            qualifier: qualifier.map(Qualifier),
            invocation,
            authentication: Some(session).filter(|_| in_header),
            ..Header::default()
        };
        let mode = [Mode::Clear, Mode::Authenticated, Mode::Encrypted][mode];
        let control = Control::new(mode, ResponseControl::OnException);
        let key = EaxPrimeKey::new(&[9; 16], &mut Work::default());
        let protection = Some(Protection { key: &key, session });
        let mut out = vec![0xA5; 1600];
        let built = apdu::build(&header, control, ed_class, protection, &mut out, |writer| {
            services
                .iter()
                .try_for_each(|service| put_service(writer, |writer| writer.put(service)))
        }, &mut Work::default());
        // Without titles and AC the cleartext may be too short to be safe.
        let Ok(len) = built else {
            prop_assert!(mode != Mode::Clear && called.is_none() && calling.is_none());
            return Ok(());
        };
        prop_assert_eq!(stream_len(&out), Ok(Some(len)));
        let mut apdu = Apdu::parse_mut(&mut out[..len]).unwrap();
        prop_assert_eq!(*apdu.header(), header);
        if mode != Mode::Clear {
            apdu.open(&key, session, &mut Work::default()).unwrap();
        }
        let payload = apdu.into_payload().unwrap();
        prop_assert_eq!(payload.ed_class, ed_class);
        let found: Vec<Vec<u8>> =
            payload.services().map(|service| service.unwrap().to_vec()).collect();
        prop_assert_eq!(found, services);
    }
}
