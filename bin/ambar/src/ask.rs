//! Asking before something is agreed to.

use crate::failure::{Failure, OrFail, Outcome};
use ambar_base::ErrorCode;
use std::io::{IsTerminal, Write};

/// Asks on standard error and reads one line: anything but yes is a refusal, and so is nobody
/// who can be asked. `refusal` says what was not done, `help` what to do instead.
pub fn confirm(question: &str, refusal: &str, help: &str) -> Outcome {
    let refused = |message: String| Failure::input(message).helping(help);
    if !std::io::stdin().is_terminal() {
        return Err(refused(format!("{refusal}: nobody can be asked here")));
    }
    eprint!("{question} [y/N] ");
    std::io::stderr().flush().or_fail(ErrorCode::Internal)?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).or_fail(ErrorCode::FileUnreadable)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(refused(refusal.to_owned())),
    }
}
