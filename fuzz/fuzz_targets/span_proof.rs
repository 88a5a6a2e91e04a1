//! libFuzzer's entry to the target `span_proof`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ambar_fuzz::attempt("span_proof", input));
