//! Every vector, built and parsed.

use std::string::ToString;
use std::vec;
use std::vec::Vec;

use serde_json::Value;

use super::support::{Fields, key, load, octets, title};
use crate::c1222::acse::{Authentication, stream_len};
use crate::c1222::apdu::{self, Apdu, Protection};
use crate::c1222::epsem::{Control, Mode, put_service};
use crate::c1222::segment::{Limits, Reassembler, Segment, Segmenter};
use crate::c1222::service::{Request, Response};
use crate::crypto::Work;
use crate::crypto::eax_prime::Failure;
use crate::wire::{Error, Writer};
use crate::{Duration, Instant};

/// Builds the APDU of `case` from its fields.
fn rebuild(case: &Value) -> Vec<u8> {
    let fields = Fields::of(case);
    let control = Control::parse(case["epsem_control"].as_u64().unwrap() as u8).unwrap();
    let ed_class = case["ed_class"]
        .as_str()
        .map(|_| octets(&case["ed_class"]).try_into().unwrap());
    let key = case["key"].as_str().map(|_| key(&case["key"]));
    let protection = key.as_ref().map(|key| Protection {
        key,
        session: fields.session(),
    });
    let services: Vec<Vec<u8>> = case["services"]
        .as_array()
        .unwrap()
        .iter()
        .map(octets)
        .collect();
    let mut out = vec![0xA5; 2048];
    let len = apdu::build(
        &fields.header(),
        control,
        ed_class,
        protection,
        &mut out,
        |writer| {
            services
                .iter()
                .try_for_each(|service| put_service(writer, |writer| writer.put(service)))
        },
        &mut Work::default(),
    )
    .unwrap();
    out.truncate(len);
    out
}

/// Parses, verifies and compares every field of `case`; returns the services.
fn verify(case: &Value) -> Vec<Vec<u8>> {
    let fields = Fields::of(case);
    let mut bytes = octets(&case["apdu"]);
    assert_eq!(stream_len(&bytes), Ok(Some(bytes.len())));
    let mut apdu = Apdu::parse_mut(&mut bytes).unwrap();
    assert_eq!(*apdu.header(), fields.header());
    let control = apdu.control();
    assert_eq!(
        u64::from(control.octet()),
        case["epsem_control"].as_u64().unwrap()
    );
    assert_eq!(
        control.mode() as u64,
        case["security_mode"].as_u64().unwrap()
    );
    assert_eq!(
        control.response() as u64,
        case["response_control"].as_u64().unwrap()
    );
    if control.mode() == Mode::Clear {
        assert_eq!(apdu.mac(), None);
    } else {
        assert_eq!(apdu.mac().unwrap()[..], octets(&case["mac"]));
        apdu.open(&key(&case["key"]), fields.session(), &mut Work::default())
            .unwrap();
        let text = if control.mode() == Mode::Authenticated {
            apdu.text()
        } else {
            &[]
        };
        assert_eq!(
            apdu.canonical(fields.session()).parts(text).concat(),
            octets(&case["canonified_cleartext"])
        );
    }
    assert_eq!(apdu.text(), octets(&case["epsem_plaintext"]));
    let payload = apdu.payload().unwrap();
    let ed_class = case["ed_class"].as_str().map(|_| octets(&case["ed_class"]));
    assert_eq!(payload.ed_class.map(|class| class.to_vec()), ed_class);
    payload
        .services()
        .map(|service| service.unwrap().to_vec())
        .collect()
}

/// Parses a service with its typed codec and writes it again.
fn reencode(service: &[u8]) -> Result<Vec<u8>, Error> {
    let mut out = vec![0xA5; service.len() + 4];
    let mut writer = Writer::new(&mut out);
    if service[0] < 0x20 {
        Response::parse(service)?.emit(&mut writer)?;
    } else {
        let request = Request::parse(service)?;
        assert!(!matches!(request, Request::Unknown { .. }));
        request.emit(&mut writer)?;
    }
    Ok(writer.written().to_vec())
}

#[test]
fn every_apdu_is_built_from_its_fields() {
    for case in load("c1222_apdus.json")["apdus"].as_array().unwrap() {
        assert_eq!(rebuild(case), octets(&case["apdu"]), "{}", case["id"]);
    }
}

#[test]
fn every_apdu_is_parsed_and_verified() {
    for case in load("c1222_apdus.json")["apdus"].as_array().unwrap() {
        let services: Vec<_> = case["services"]
            .as_array()
            .unwrap()
            .iter()
            .map(octets)
            .collect();
        assert_eq!(verify(case), services, "{}", case["id"]);
        for service in services {
            assert_eq!(reencode(&service).as_ref(), Ok(&service), "{}", case["id"]);
        }
    }
}

#[test]
fn captured_frames_are_parsed_verified_and_built_again() {
    for case in load("c1222_captured.json")["frames"].as_array().unwrap() {
        let services: Vec<_> = case["services"]
            .as_array()
            .unwrap()
            .iter()
            .map(octets)
            .collect();
        assert_eq!(verify(case), services, "{}", case["id"]);
        assert_eq!(rebuild(case), octets(&case["apdu"]), "{}", case["id"]);
        for service in services {
            assert_eq!(reencode(&service).as_ref(), Ok(&service), "{}", case["id"]);
        }
        let bytes = octets(&case["apdu"]);
        let apdu = Apdu::parse(&bytes).unwrap();
        let called = apdu.header().called.unwrap();
        assert_eq!(
            called.to_string(),
            case["called_ap_title"].as_str().unwrap()
        );
        assert_eq!(title(&case["called_ap_title"]).unwrap().get(), called);
    }
}

#[test]
fn requests_and_responses_of_a_live_client_are_opened() {
    let vectors = load("c1222_live_client.json");
    for case in vectors["exchanges"].as_array().unwrap() {
        let session = Authentication {
            key_id: case["effective_key_id"].as_u64().map(|id| id as u8),
            iv: case["effective_iv"].as_str().map_or([0; 4], |_| {
                octets(&case["effective_iv"]).try_into().unwrap()
            }),
        };
        for (apdu, epsem) in [("request", "request_epsem"), ("response", "response_epsem")] {
            let mut bytes = octets(&case[apdu]);
            let mut parsed = Apdu::parse_mut(&mut bytes).unwrap();
            let mode = parsed.control().mode();
            assert_eq!(mode as u64, case["security_mode"].as_u64().unwrap());
            if mode != Mode::Clear {
                if apdu == "request" {
                    let canonical = octets(&case["request_canonified_cleartext"]);
                    assert_eq!(parsed.canonical(session).parts(&[]).concat(), canonical);
                }
                let key = key(&vectors["keys"][session.key_id().to_string()]);
                parsed.open(&key, session, &mut Work::default()).unwrap();
            }
            assert_eq!(parsed.text(), octets(&case[epsem]));
            for service in parsed.payload().unwrap().services() {
                let service = service.unwrap();
                assert_eq!(reencode(service).as_deref(), Ok(service));
            }
        }
    }
}

#[test]
fn damaged_apdus_fail_as_expected() {
    let vectors = load("c1222_apdus.json");
    for case in vectors["negative"].as_array().unwrap() {
        let mut bytes = octets(&case["apdu"]);
        let parsed = Apdu::parse_mut(&mut bytes);
        let id = case["id"].as_str().unwrap();
        match case["expect"].as_str().unwrap() {
            "authentication failure" => {
                let mut apdu = parsed.unwrap();
                let session = apdu.header().authentication.unwrap();
                let key = key(&vectors["keys"][session.key_id().to_string()]);
                let before = apdu.text().to_vec();
                assert_eq!(
                    apdu.open(&key, session, &mut Work::default()),
                    Err(Failure::Mac),
                    "{id}"
                );
                assert_eq!(apdu.text(), before, "untouched on failure");
            }
            "parse error, no response, error counter +1" => {
                assert!(parsed.is_err(), "{id}");
            }
            // The rest needs a node: see the tests of the association.
            _ => assert!(parsed.is_ok(), "{id}"),
        }
    }
}

#[test]
fn segments_are_cut_and_put_together_in_any_order() {
    let vectors = load("c1222_segmentation.json");
    for case in vectors["cases"].as_array().unwrap() {
        let apdu = octets(&case["apdu"]);
        let chunk_len = case["segment_payload_octets"].as_u64().unwrap() as usize;
        let expected: Vec<_> = case["segments"]
            .as_array()
            .unwrap()
            .iter()
            .map(octets)
            .collect();
        let mut segmenter = Segmenter::new(&apdu, chunk_len).unwrap();
        let mut segments = Vec::new();
        let mut out = [0xA5; 512];
        while let Some(len) = segmenter.next(&mut out).unwrap() {
            segments.push(out[..len].to_vec());
        }
        assert_eq!(segments, expected, "{}", case["id"]);

        let mut reassembler = Reassembler::new(Limits::default());
        let now = Instant::ZERO;
        let (last, others) = segments.split_first().unwrap();
        for bytes in others.iter().rev().chain(others) {
            let segment = Segment::parse(bytes).unwrap().unwrap();
            assert_eq!(reassembler.insert(&segment, now), Ok(None));
        }
        let segment = Segment::parse(last).unwrap().unwrap();
        let complete = reassembler.insert(&segment, now).unwrap().unwrap();
        assert_eq!(complete, apdu, "{}", case["id"]);
        assert_eq!(reassembler.pending(), 0);
        assert_eq!(
            Segment::parse(&apdu),
            Ok(None),
            "a complete APDU is no segment"
        );
        assert_eq!(Apdu::parse(last).err(), Some(Error::Unsupported(0xA3)));
    }
}

#[test]
fn segments_fit_the_datagram_they_are_cut_for() {
    let vectors = load("c1222_segmentation.json");
    let apdu = octets(&vectors["cases"][3]["apdu"]);
    for datagram_len in [60, 171, 172, 548, 1280] {
        let mut segmenter = Segmenter::fitting(&apdu, datagram_len).unwrap();
        let mut out = vec![0xA5; datagram_len];
        let mut reassembler = Reassembler::new(Limits::default());
        let mut complete = false;
        while let Some(len) = segmenter.next(&mut out).unwrap() {
            let segment = Segment::parse(&out[..len]).unwrap().unwrap();
            complete = reassembler
                .insert(&segment, Instant::ZERO)
                .unwrap()
                .is_some();
        }
        assert!(complete);
    }
    assert!(Segmenter::fitting(&apdu, 30).is_err());
}

#[test]
fn reassembly_is_bounded_in_time_and_space() {
    let vectors = load("c1222_segmentation.json");
    let bytes: Vec<_> = vectors["cases"][0]["segments"]
        .as_array()
        .unwrap()
        .iter()
        .map(octets)
        .collect();
    let segment = Segment::parse(&bytes[0]).unwrap().unwrap();
    let limits = Limits {
        apdu_len_max: 533,
        ..Limits::default()
    };
    let mut reassembler = Reassembler::new(limits);
    assert_eq!(
        reassembler.insert(&segment, Instant::ZERO),
        Err(Error::Malformed("APDU length"))
    );

    let mut reassembler = Reassembler::new(Limits {
        apdus_max: 2,
        ..Limits::default()
    });
    for invocation in 0..10 {
        let mut segment = segment;
        segment.header.invocation = invocation;
        let now = Instant::from_secs(u64::from(invocation));
        assert_eq!(reassembler.insert(&segment, now), Ok(None));
        assert!(reassembler.pending() <= 2);
    }
    assert_eq!(reassembler.poll_timeout(), Some(Instant::from_secs(38)));
    reassembler.handle_timeout(Instant::from_secs(38));
    assert_eq!(reassembler.pending(), 1);
    reassembler.handle_timeout(Instant::from_secs(9) + Duration::from_secs(30));
    assert_eq!(reassembler.poll_timeout(), None);

    let mut other = segment;
    other.total += 1;
    assert_eq!(
        reassembler.insert(&segment, Instant::from_secs(50)),
        Ok(None)
    );
    assert_eq!(
        reassembler.insert(&other, Instant::from_secs(50)),
        Err(Error::Malformed("APDU length")),
        "segments disagree about the length"
    );
}
