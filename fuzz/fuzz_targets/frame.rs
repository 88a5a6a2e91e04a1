//! libFuzzer's entry to the target `frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ambar_fuzz::attempt("frame", input));
