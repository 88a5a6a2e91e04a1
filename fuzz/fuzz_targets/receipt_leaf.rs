//! libFuzzer's entry to the target `receipt_leaf`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ambar_fuzz::attempt("receipt_leaf", input));
