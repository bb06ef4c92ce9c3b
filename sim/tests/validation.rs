//! The table of validation targets: as printed, and as kept in the repository.

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn every_result_is_reproduced_and_the_table_is_up_to_date() {
    let output = Command::new(env!("CARGO_BIN_EXE_meterstorm"))
        .args(["validate", "--markdown"])
        .output()
        .expect("the program starts");
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.code(), Some(0), "{printed}");
    for id in [
        "V13", "V14", "V19", "V20", "V21", "V22", "V23", "V24", "V25", "V26", "V27", "V28", "V29",
        "V31", "V33", "V35", "V36", "V37", "V40", "V41",
    ] {
        assert!(printed.contains(&format!("| {id} |")), "{id}");
    }
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/validation.md");
    let kept = fs::read_to_string(kept).expect("the table");
    assert!(
        kept == printed,
        "models/validation.md is out of date: meterstorm validate --markdown > models/validation.md"
    );
}
