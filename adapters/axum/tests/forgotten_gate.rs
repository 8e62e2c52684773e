//! A forgotten gate does not compile.

/// The wording is one compiler's, so it is compared on that one; the crate's `compile_fail` example holds on every one.
#[test]
fn e23_a_forgotten_gate_does_not_compile() {
    let compiler = std::process::Command::new("rustc").arg("--version").output().expect("rustc");
    let version = String::from_utf8_lossy(&compiler.stdout).into_owned();
    if !version.starts_with("rustc 1.95.") {
        println!("skipped: the wording is that of rustc 1.95, this is {version}");
        return;
    }
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/gate_wired.rs");
    cases.compile_fail("tests/ui/gate_forgotten.rs");
}
