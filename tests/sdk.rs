//! Rows for the public SDKs and the conformance scenarios.

fn main() {
    libtest_mimic::run(&libtest_mimic::Arguments::from_args(), Vec::new()).exit();
}
