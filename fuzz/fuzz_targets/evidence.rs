//! libFuzzer's entry to the target `evidence`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ambar_fuzz::attempt("evidence", input));
