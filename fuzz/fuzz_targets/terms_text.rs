//! libFuzzer's entry to the target `terms_text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ambar_fuzz::attempt("terms_text", input));
