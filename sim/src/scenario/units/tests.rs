use proptest::prelude::*;

use super::*;

fn nanos(text: &str) -> u64 {
    Duration::parse(text).expect(text).as_nanos()
}

fn why<Q: Quantity>(text: &str) -> (usize, String) {
    let bad = Q::parse(text).expect_err(text);
    (bad.offset, bad.why)
}

#[test]
fn durations() {
    assert_eq!(nanos("0s"), 0);
    assert_eq!(nanos("15min"), 900_000_000_000);
    assert_eq!(nanos("1h30min"), 5_400_000_000_000);
    assert_eq!(nanos("1.5 h"), 5_400_000_000_000);
    assert_eq!(nanos("1d"), 86_400_000_000_000);
    assert_eq!(nanos("2.5us"), 2_500);
    assert_eq!(nanos("1_000ns"), 1_000);
    assert_eq!(why::<Duration>("").0, 0);
    assert_eq!(why::<Duration>("5").0, 1);
    assert_eq!(why::<Duration>("1hour").0, 1);
    assert_eq!(why::<Duration>("1h2parsecs").0, 3);
    assert_eq!(why::<Duration>("30min1h").0, 5);
    assert_eq!(
        why::<Duration>("0.5ns").1,
        "finer than the resolution of 1ns"
    );
    assert_eq!(why::<Duration>("300000d").1, TOO_LARGE);
    assert_eq!(why::<Duration>("200000d600000h").1, TOO_LARGE);
    assert_eq!(why::<Duration>("1.2.3s").0, 3);
    assert_eq!(why::<Duration>("-1s").0, 0);
}

#[test]
fn ratios() {
    for text in ["1%", "0.01", "10000ppm", "10000000ppb"] {
        assert_eq!(Ratio::parse(text), Ok(Ratio::percent(1)), "{text}");
    }
    assert_eq!(Ratio::parse("99.9%").map(Ratio::ppb), Ok(999_000_000));
    assert_eq!(Ratio::ONE.to_text(), "100%");
    assert_eq!(
        Ratio::parse("0.0001%").map(Ratio::to_text),
        Ok("0.0001%".into())
    );
    assert_eq!(why::<Ratio>("101%").1, "a ratio is at most 100%");
    assert_eq!(why::<Ratio>("1 percent").0, 2);
    assert_eq!(Ratio::percent(10).of(3_600), 360);
}

#[test]
fn rates_sizes_and_frequencies() {
    assert_eq!(Rate::parse("250kb/s"), Ok(Rate(250_000)));
    assert_eq!(Rate::parse("1.5Mb/s"), Ok(Rate(1_500_000)));
    assert_eq!(Rate::parse("1Gb/s").map(Rate::to_text), Ok("1Gb/s".into()));
    assert_eq!(why::<Rate>("1MB/s").0, 1);
    assert_eq!(Bytes::parse("64KiB"), Ok(Bytes(65_536)));
    assert_eq!(Bytes::parse("1MB"), Ok(Bytes(1_000_000)));
    assert_eq!(Bytes(1_500).to_text(), "1500B");
    assert_eq!(Bytes(0).to_text(), "0B");
    assert_eq!(Frequency::parse("32MHz"), Ok(Frequency(32_000_000)));
}

#[test]
fn drifts() {
    assert_eq!(Drift::parse("20ppm"), Ok(Drift(20_000)));
    assert_eq!(Drift::parse("-0.5ppm"), Ok(Drift(-500)));
    assert_eq!(Drift(-500).to_text(), "-500ppb");
    assert_eq!(why::<Drift>("-5").0, 2);
    assert!(Drift::parse("1000000ppm").is_err());
}

#[test]
fn civil_times() {
    assert_eq!(Civil::parse("1970-01-01T00:00:00Z"), Ok(Civil(0)));
    assert_eq!(Civil::parse("2000-02-29T12:00:00Z"), Ok(Civil(951_825_600)));
    assert_eq!(
        Civil::parse("2026-01-15T00:00:00Z"),
        Ok(Civil(1_768_435_200))
    );
    assert_eq!(
        Civil::parse("2026-01-15T05:30:00+05:30"),
        Ok(Civil(1_768_435_200))
    );
    assert_eq!(
        Civil::parse("2026-01-14T18:00:00-06:00"),
        Ok(Civil(1_768_435_200))
    );
    assert_eq!(Civil(951_825_600).date(), (2000, 2, 29));
    assert_eq!(why::<Civil>("2026-13-01T00:00:00Z").0, 5);
    assert_eq!(why::<Civil>("2026-02-29T00:00:00Z").0, 8);
    assert_eq!(why::<Civil>("2026-02-28T24:00:00Z").0, 11);
    assert_eq!(why::<Civil>("2026-02-28T23:00:00").0, 19);
    assert_eq!(why::<Civil>("2026-02-28 23:00:00Z").0, 10);
    assert_eq!(why::<Civil>("1969-12-31T00:00:00Z").0, 0);
    assert_eq!(why::<Civil>("1970-01-01T00:00:00+01:00").0, 0);
}

fn round_trip<Q: Quantity>(quantity: Q) {
    assert_eq!(Q::parse(&quantity.to_text()), Ok(quantity));
}

proptest! {
    #[test]
    fn printed_quantities_read_back(
        number in any::<u64>(),
        ratio in 0..=1_000_000_000_u32,
        drift in -999_999_999..=999_999_999_i64,
        // The last second of the year 9999.
        civil in 0..=253_402_300_799_u64,
    ) {
        round_trip(Duration::from_nanos(number));
        round_trip(Ratio(ratio));
        round_trip(Rate(number));
        round_trip(Bytes(number));
        round_trip(Frequency(number));
        round_trip(Drift(drift));
        round_trip(Civil(civil));
    }

    #[test]
    fn no_text_makes_a_quantity_panic(text in "[-+0-9a-zA-Z%/:. é]{0,24}") {
        let _ = Duration::parse(&text);
        let _ = Ratio::parse(&text);
        let _ = Drift::parse(&text);
        let _ = Civil::parse(&text);
    }
}
