//! The direction of dependencies: firmware knows nobody, models know firmware, reports know only
//! tables, the simulator knows all.

use std::collections::BTreeMap;
use std::process::Command;

/// The crates of this workspace that each crate depends on, tests included.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let name = |value: &serde_json::Value| value["name"].as_str().expect("a name").to_owned();
    let members: Vec<String> = packages.iter().map(name).collect();
    let of = |package: &serde_json::Value| {
        let all = package["dependencies"].as_array().expect("dependencies");
        let mut own: Vec<String> = all
            .iter()
            .map(name)
            .filter(|n| members.contains(n))
            .collect();
        own.sort();
        own.dedup();
        (name(package), own)
    };
    packages.iter().map(of).collect()
}

#[test]
fn dependencies_point_one_way() {
    let dependencies = dependencies();
    let expected: [(&str, &[&str]); 4] = [
        ("firmware", &[]),
        ("models", &["firmware"]),
        ("reports", &[]),
        ("sim", &["firmware", "models", "reports"]),
    ];
    for (package, allowed) in expected {
        assert_eq!(dependencies[package], allowed, "{package}");
    }
    assert_eq!(
        dependencies.len(),
        expected.len(),
        "a crate is missing in this test"
    );
}
