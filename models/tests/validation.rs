//! Published and closed-form results that the models have to reproduce.

use models::validation::all;

#[test]
fn every_result_is_reproduced_within_its_tolerance() {
    let outcomes = all();
    for outcome in &outcomes {
        assert!(outcome.holds(), "{outcome:?}, error {}", outcome.error());
    }
    let mut targets: Vec<_> = outcomes.iter().map(|outcome| outcome.id).collect();
    targets.dedup();
    let expected = [
        "V13", "V14", "V20", "V21", "V22", "V23", "V24", "V25", "V26", "V27", "V28", "V29", "V31",
        "V33", "V35", "V36", "V37", "V40", "V41",
    ];
    assert_eq!(targets, expected);
}
