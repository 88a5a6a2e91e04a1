//! libFuzzer's entry to the target `one_call`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ambar_fuzz::attempt("one_call", input));
