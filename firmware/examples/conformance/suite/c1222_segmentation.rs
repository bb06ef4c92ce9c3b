//! `c1222_segmentation.json`: APDUs cut into segments.

use firmware::Instant;
use firmware::c1222::apdu::Apdu;
use firmware::c1222::segment::{Limits, Reassembler, Segment, Segmenter};
use serde_json::Value;

use super::json;
use super::report::Report;

pub(super) fn run(document: &Value, report: &mut Report) -> Option<()> {
    let cases = document.get("cases")?.as_array()?;
    cases.first()?.get("segment_payload_octets")?;
    for case in cases {
        let id = case.get("id").and_then(Value::as_str);
        report.case(id.unwrap_or("unnamed"), || check(case));
    }
    Some(())
}

fn check(case: &Value) -> Result<(), String> {
    json::only(case, &["id", "apdu", "segment_payload_octets", "segments"])?;
    let apdu = json::octets(case, "apdu")?;
    let chunk_len = json::number(case, "segment_payload_octets")?;
    let chunk_len = usize::try_from(chunk_len).map_err(|error| error.to_string())?;
    let expected: Vec<Vec<u8>> = json::list(case, "segments")?
        .iter()
        .map(|segment| segment.as_str().and_then(json::decode))
        .collect::<Option<_>>()
        .ok_or("segments: not octets")?;
    let failure = |error: firmware::wire::Error| error.to_string();
    let mut segmenter = Segmenter::new(&apdu, chunk_len).map_err(failure)?;
    let mut out = vec![0xA5; chunk_len + 256];
    let mut segments = Vec::new();
    while let Some(len) = segmenter.next(&mut out).map_err(failure)? {
        segments.push(out[..len].to_vec());
    }
    if segments.len() != expected.len() {
        return Err(format!("segments: {} computed", segments.len()));
    }
    for (index, (segment, expected)) in segments.iter().zip(&expected).enumerate() {
        json::equal_octets(&format!("segment {index}"), segment, expected)?;
    }
    let forward: Vec<&Vec<u8>> = expected.iter().collect();
    let backward: Vec<&Vec<u8>> = expected.iter().rev().collect();
    reassemble(&forward, &apdu)?;
    reassemble(&backward, &apdu)
}

fn reassemble(segments: &[&Vec<u8>], apdu: &[u8]) -> Result<(), String> {
    let failure = |error: firmware::wire::Error| error.to_string();
    let mut reassembler = Reassembler::new(Limits::default());
    for (index, octets) in segments.iter().enumerate() {
        let segment = Segment::parse(octets).map_err(failure)?;
        let segment = segment.ok_or("a segment without A3")?;
        let complete = reassembler
            .insert(&segment, Instant::ZERO)
            .map_err(failure)?;
        match complete {
            Some(complete) if index + 1 == segments.len() => {
                json::equal_octets("reassembled", complete, apdu)?;
                Apdu::parse(complete).map_err(failure)?;
            }
            None if index + 1 < segments.len() => {}
            _ => return Err(format!("segment {index}: complete too early or too late")),
        }
    }
    Ok(())
}
