//! libFuzzer's entry to the target `quality_rules`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ambar_fuzz::attempt("quality_rules", input));
