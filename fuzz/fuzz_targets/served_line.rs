//! libFuzzer's entry to the target `served_line`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ambar_fuzz::attempt("served_line", input));
