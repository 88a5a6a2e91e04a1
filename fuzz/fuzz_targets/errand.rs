//! libFuzzer's entry to the target `errand`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ambar_fuzz::attempt("errand", input));
